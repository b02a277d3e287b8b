#!/bin/bash
# Tells keepalived whether this host can serve: every program in /checks, which the deployment puts
# there, must say so. Without any it can.
status=0
for check in /checks/*; do
    if [[ -f $check ]] && ! "$check" 2>/dev/null; then
        echo "$check failed"
        status=1
    fi
done
exit "$status"
