"""What publishers give for the images that are fed by artifacts: small, and shaped as it really is.

The programs in it are stand-ins, which serve so that the image's own tests can be answered.
"""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.artifacts.releases import exporter
from tests.backends.packages import Item, file, folder, link, tarball

from lamina.model.artifact import Artifact, Packing, packing_of

_STAND_IN = Path(__file__).with_name("stand_in.py").read_text(encoding="utf-8")
_PLANS = "PLANS: dict[str, Plan] = {}\n"

_DASHBOARDS = "/usr/share/opensearch-dashboards"
JAVA: Mapping[str, Any] = {"runs": [["java", "-version"]]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fed:
    """An image fed by artifacts: what their publishers give, and what the image then has."""

    releases: Mapping[str, Sequence[Item]]  # by the artifact's name; a single item is a plain file
    holds: Sequence[str]  # owner, group, mode and path
    lacks: Sequence[str] = ()
    images: Sequence[str] = field(default_factory=tuple)  # descendants that use it


def stand_in(path: str, plan: Mapping[str, Any] | None = None, **others: Mapping[str, Any]) -> Item:
    """Return a program that does what `plan` says, or `others` by its first argument."""
    plans = {"": dict(plan or {}), **{word: dict(other) for word, other in others.items()}}
    assert _PLANS in _STAND_IN
    text = _STAND_IN.replace(_PLANS, f"PLANS = {plans!r}\n")
    return file(path, text.encode(), 0o755)


def release(items: Sequence[Item], artifact: Artifact) -> bytes:
    """Return what the publisher serves at the artifact's path."""
    if packing_of(artifact.path) is Packing.PLAIN:
        (item,) = items
        return item.content
    assert packing_of(artifact.path) is Packing.TAR_GZIP
    if "/archive/refs/tags/" not in artifact.path:
        return gzip.compress(tarball(items), mtime=0)
    # git writes the commit in front of everything.
    comment = {"comment": "0123456789abcdef0123456789abcdef01234567"}
    return gzip.compress(tarball(items, tarfile.PAX_FORMAT, comment), mtime=0)


def _ruby(top: str, name: str) -> list[Item]:
    library = file(f"{top}/lib/fluent/{name}.rb", b"# nothing\n")
    return [folder(f"{top}/"), file(f"{top}/{name}.gemspec"), library]


def _goreleaser(program: Item) -> list[Item]:
    return [file("LICENSE"), file("README.md"), program]


def _search(name: str, version: str) -> list[Item]:
    """Return what Elasticsearch and OpenSearch have in common."""
    top = f"{name}-{version}"
    home = f"/usr/share/{name}"
    plan = {
        "pages": [9200],
        "answer": '{"_source":{"text": "hello"}}',
        "runs": [[f"{home}/jdk/bin/java", "-version"]],
        "writes": [f"/var/lib/{name}", f"/var/log/kolla/{name}", f"{home}/data", f"{home}/logs"],
    }
    return [
        folder(f"{top}/"),
        stand_in(f"{top}/bin/{name}", plan),
        file(f"{top}/config/{name}.yml"),
        file(f"{top}/config/jvm.options.d/.keep"),
        file(f"{top}/jdk/bin/java", b"another Java\n", 0o755),
        file(f"{top}/lib/{name}-{version}.jar"),
        folder(f"{top}/logs/", 0o775),
        file(f"{top}/modules/reindex/plugin-descriptor.properties", mode=0o664),
    ]


def _pages(
    name: str, version: str, answer: str, writes: Sequence[str], items: Sequence[Item] = ()
) -> list[Item]:
    """Return what Kibana and OpenSearch Dashboards have in common."""
    top = f"{name}-{version}"
    return [
        stand_in(f"{top}/bin/{name}", {"pages": [5601], "answer": answer, "writes": writes}),
        file(f"{top}/config/{name.replace('-', '_')}.yml"),
        folder(f"{top}/data/"),
        file(f"{top}/node/bin/node", b"node\n", 0o755),
        link(f"{top}/node/bin/npm", "../lib/npm-cli.js"),
        file(f"{top}/node/lib/npm-cli.js", mode=0o755),
        file(f"{top}/package.json"),
        *items,
    ]


def _metrics(port: int, line: str = "") -> Mapping[str, Any]:
    return {"pages": [port], "answer": line}


FED: Mapping[str, Fed] = {
    "elasticsearch": Fed(
        releases={"elasticsearch": _search("elasticsearch", "8.19.16")},
        holds=(
            "root root 755 /usr/share/elasticsearch/bin/elasticsearch",
            "elasticsearch elasticsearch 755 /usr/share/elasticsearch/config",
            "elasticsearch elasticsearch 644 /usr/share/elasticsearch/config/elasticsearch.yml",
            "root root 644 /usr/share/elasticsearch/modules/reindex/plugin-descriptor.properties",
        ),
    ),
    "fluentd": Fed(
        releases={
            "fluentd": [
                folder("fluentd-1.16.11/"),
                stand_in(
                    "fluentd-1.16.11/bin/fluentd",
                    {
                        "pages": [9880, 24231],
                        "notes": (
                            "/var/log/kolla/fluentd/fluentd.log",
                            'told.nova: {"service":"nova","text":"hello"}',
                        ),
                        "writes": ["/var/lib/fluentd", "/run/fluentd", "/etc/fluentd"],
                        "runs": [
                            ["ruby", *(f"-r{name}" for name in names), "-e", "exit 0"]
                            for names in (
                                ("cool.io", "http/parser", "msgpack", "sigdump"),
                                ("strptime", "tzinfo", "webrick", "yajl"),
                                ("fluent/fluentd", "fluent/serverengine", "fluent/grok"),
                                ("fluent/prometheus", "fluent/client", "fluent/rewrite"),
                            )
                        ],
                    },
                ),
                stand_in("fluentd-1.16.11/bin/fluent-cat"),
                file("fluentd-1.16.11/lib/fluent/fluentd.rb", b"# nothing\n"),
            ],
            "serverengine": _ruby("serverengine-2.4.0", "serverengine"),
            "fluent-config-regexp-type": _ruby("fluent-config-regexp-type-1.0.0", "regexp"),
            "fluent-plugin-grok-parser": [
                *_ruby("fluent-plugin-grok-parser-2.6.2", "grok"),
                file("fluent-plugin-grok-parser-2.6.2/patterns/grok-patterns"),
            ],
            "fluent-plugin-prometheus": _ruby("fluent-plugin-prometheus-2.2.2", "prometheus"),
            "prometheus-client-ruby": _ruby("client_ruby-4.2.5", "client"),
            "fluent-plugin-rewrite-tag-filter": _ruby(
                "fluent-plugin-rewrite-tag-filter-2.4.0", "rewrite"
            ),
        },
        holds=(
            "root root 755 /opt/fluentd/bin/fluentd",
            "root root 644 /opt/fluentd/lib/fluent/grok.rb",
            "root root 644 /opt/fluentd/patterns/grok-patterns",
        ),
        lacks=("/opt/fluentd/grok.gemspec",),
    ),
    "grafana": Fed(
        releases={
            "grafana": [
                stand_in(
                    "grafana-12.1.8/bin/grafana",
                    {},
                    server={
                        "pages": [3000],
                        "answer": '{"database": "ok"}',
                        "writes": ["/var/lib/grafana", "/var/log/kolla/grafana"],
                    },
                ),
                file("grafana-12.1.8/conf/defaults.ini"),
                file("grafana-12.1.8/docs/README.md"),
                file("grafana-12.1.8/npm-artifacts/data.tgz"),
                file(f"grafana-12.1.8/public/build/static/{'x' * 90}/{'y' * 90}.js"),
            ]
        },
        holds=(
            "root root 755 /usr/share/grafana/bin/grafana",
            "root root 644 /usr/share/grafana/conf/defaults.ini",
            f"root root 644 /usr/share/grafana/public/build/static/{'x' * 90}/{'y' * 90}.js",
        ),
        lacks=("/usr/share/grafana/docs", "/usr/share/grafana/npm-artifacts"),
    ),
    "kafka": Fed(
        releases={
            "kafka": [
                stand_in(
                    "kafka_2.13-3.9.1/bin/kafka-server-start.sh",
                    {
                        "name": "java",
                        "lines": [9092],
                        "writes": ["/var/lib/kafka/data", "/var/log/kolla/kafka"],
                        **JAVA,
                    },
                ),
                stand_in("kafka_2.13-3.9.1/bin/kafka-storage.sh", {"prints": "formatted"}),
                stand_in("kafka_2.13-3.9.1/bin/kafka-topics.sh", {"prints": "created"}),
                stand_in("kafka_2.13-3.9.1/bin/kafka-console-producer.sh", {"prints": ">"}),
                stand_in("kafka_2.13-3.9.1/bin/kafka-console-consumer.sh", {"prints": "hello"}),
                file("kafka_2.13-3.9.1/bin/windows/kafka-topics.bat"),
                file("kafka_2.13-3.9.1/config/server.properties"),
                file("kafka_2.13-3.9.1/libs/kafka_2.13-3.9.1.jar", b"PK\5\6" + bytes(18)),
                file("kafka_2.13-3.9.1/site-docs/kafka_2.13-3.9.1-site-docs.tgz"),
            ]
        },
        holds=(
            "root root 755 /opt/kafka/bin/kafka-topics.sh",
            "root root 644 /opt/kafka/libs/kafka_2.13-3.9.1.jar",
        ),
        lacks=("/opt/kafka/bin/windows", "/opt/kafka/site-docs"),
    ),
    "kibana": Fed(
        releases={
            "kibana": _pages(
                "kibana",
                "8.19.16",
                "Kibana server is not ready yet",
                ["/usr/share/kibana/data", "/var/log/kolla/kibana"],
            )
        },
        holds=(
            "root root 755 /usr/share/kibana/bin/kibana",
            "kibana kibana 755 /etc/kibana",
            "kibana kibana 644 /etc/kibana/kibana.yml",
            "root root 777 /usr/share/kibana/node/bin/npm",
        ),
        lacks=("/usr/share/kibana/config",),
    ),
    "logstash": Fed(
        releases={
            "logstash": [
                stand_in(
                    "logstash-8.19.16/bin/logstash",
                    {
                        "name": "java",
                        "lines": [5000],
                        "notes": ("/var/log/kolla/logstash/proof.log", "HELLO"),
                        "runs": [["/usr/share/logstash/jdk/bin/java", "-version"]],
                        "writes": ["/usr/share/logstash/data", "/var/lib/logstash"],
                    },
                ),
                file("logstash-8.19.16/config/logstash.yml"),
                file("logstash-8.19.16/jdk/bin/java", b"another Java\n", 0o755),
                file("logstash-8.19.16/logstash-core/lib/jars/jruby.jar"),
            ]
        },
        holds=(
            "root root 755 /usr/share/logstash/bin/logstash",
            "root root 644 /usr/share/logstash/config/logstash.yml",
            "logstash logstash 755 /usr/share/logstash/data",
        ),
    ),
    "opendaylight": Fed(
        releases={
            "opendaylight": [
                folder("karaf-0.23.1/"),
                stand_in("karaf-0.23.1/bin/karaf", {"name": "java", "lines": [8101], **JAVA}),
                file("karaf-0.23.1/bin/karaf.bat"),
                file("karaf-0.23.1/etc/org.apache.karaf.features.cfg"),
                folder("karaf-0.23.1/data/tmp/"),
            ]
        },
        holds=(
            "odl odl 755 /opt/opendaylight",
            "odl odl 755 /opt/opendaylight/bin/karaf",
            "odl odl 644 /opt/opendaylight/etc/org.apache.karaf.features.cfg",
            "odl odl 755 /opt/opendaylight/data/tmp",
        ),
        lacks=("/opt/opendaylight/bin/karaf.bat",),
    ),
    "opensearch": Fed(
        releases={"opensearch": _search("opensearch", "3.9.0")},
        holds=(
            "root root 755 /usr/share/opensearch/bin/opensearch",
            "opensearch opensearch 755 /etc/opensearch",
            "opensearch opensearch 644 /etc/opensearch/opensearch.yml",
        ),
        lacks=("/usr/share/opensearch/config",),
    ),
    "opensearch-dashboards": Fed(
        releases={
            "opensearch-dashboards": _pages(
                "opensearch-dashboards",
                "3.9.0",
                "OpenSearch Dashboards server is not ready yet",
                ["/usr/share/opensearch-dashboards/data", "/var/lib/opensearch-dashboards"],
                items=[
                    # The image has it remove a plug-in before its start.
                    stand_in(
                        "opensearch-dashboards-3.9.0/bin/opensearch-dashboards-plugin",
                        remove={
                            "prints": "removed",
                            "runs": [["rm", "-r", f"{_DASHBOARDS}/plugins/securityDashboards"]],
                        },
                    ),
                    file("opensearch-dashboards-3.9.0/plugins/securityDashboards/package.json"),
                ],
            )
        },
        holds=(
            "opensearch-dashboards opensearch-dashboards 755 "
            "/usr/share/opensearch-dashboards/bin/opensearch-dashboards",
            "opensearch-dashboards opensearch-dashboards 644 "
            "/etc/opensearch-dashboards/opensearch_dashboards.yml",
        ),
        lacks=("/usr/share/opensearch-dashboards/config",),
    ),
    "skydive-base": Fed(
        releases={
            "skydive": [
                stand_in(
                    "skydive",
                    {},
                    agent={"name": "skydive", "lines": [8081]},
                    analyzer={"name": "skydive", "pages": [8082], "writes": ["/var/lib/skydive"]},
                )
            ]
        },
        holds=("root root 755 /usr/bin/skydive",),
        images=("skydive-agent", "skydive-analyzer"),
    ),
    "storm": Fed(
        releases={
            "storm": [
                stand_in(
                    "apache-storm-2.8.8/bin/storm",
                    {},
                    nimbus={
                        "name": "java",
                        "lines": [6627],
                        "writes": ["/var/lib/storm", "/var/log/kolla/storm", "/opt/storm/logs"],
                        **JAVA,
                    },
                    list={"prints": "No topologies running."},
                ),
                file("apache-storm-2.8.8/conf/storm.yaml"),
                file("apache-storm-2.8.8/docs/index.md"),
                file("apache-storm-2.8.8/examples/storm-starter/pom.xml"),
                file("apache-storm-2.8.8/lib/storm-client-2.8.8.jar"),
            ]
        },
        holds=(
            "root root 755 /opt/storm/bin/storm",
            "storm storm 755 /opt/storm/conf",
            "storm storm 644 /opt/storm/conf/storm.yaml",
            "root root 644 /opt/storm/lib/storm-client-2.8.8.jar",
        ),
        lacks=("/opt/storm/docs", "/opt/storm/examples"),
    ),
    "telegraf": Fed(
        releases={
            "telegraf": [
                folder("./telegraf-1.36.3/"),
                stand_in(
                    "./telegraf-1.36.3/usr/bin/telegraf",
                    {
                        "pages": [9273],
                        "answer": 'mem_total{host="proof"} 1',
                        "writes": ["/var/log/kolla/telegraf"],
                        "runs": [["netstat", "--version"], ["chronyc", "--version"]],
                    },
                ),
                file("./telegraf-1.36.3/etc/telegraf/telegraf.conf"),
                file("./telegraf-1.36.3/usr/lib/telegraf/scripts/telegraf.service"),
            ]
        },
        holds=(
            "root root 755 /usr/bin/telegraf",
            "root root 644 /etc/telegraf/telegraf.conf",
        ),
        lacks=("/usr/lib/telegraf",),
    ),
    "prometheus-cadvisor": Fed(
        releases={"cadvisor": [stand_in("cadvisor", {"prints": "cAdvisor version v0.56.2"})]},
        holds=("root root 755 /opt/cadvisor",),
    ),
    "prometheus-memcached-exporter": Fed(
        releases={
            "memcached-exporter": [
                *(item for item in exporter() if not item.path.endswith("/memcached_exporter")),
                stand_in(
                    "memcached_exporter-0.15.5.linux-amd64/memcached_exporter",
                    _metrics(9150, "memcached_up 0"),
                ),
            ]
        },
        holds=(
            "root root 755 /opt/memcached_exporter/memcached_exporter",
            "root root 644 /opt/memcached_exporter/LICENSE",
        ),
    ),
    "prometheus-openstack-exporter": Fed(
        releases={
            "openstack-exporter": _goreleaser(stand_in("openstack-exporter", _metrics(9198)))
        },
        holds=("root root 755 /opt/openstack-exporter/openstack-exporter",),
        lacks=("/opt/openstack-exporter/README.md",),
    ),
    "prometheus-openstack-network-exporter": Fed(
        releases={
            "openstack-network-exporter": [stand_in("openstack-network-exporter", _metrics(1981))]
        },
        holds=("root root 755 /opt/openstack-network-exporter/openstack-network-exporter",),
    ),
    "prometheus-ovn-exporter": Fed(
        releases={"ovn-exporter": _goreleaser(stand_in("ovn-exporter", _metrics(9476)))},
        holds=("root root 755 /opt/ovn-exporter",),
    ),
}
