"""The frozen values that flow through the pipeline; no effects, no imports of other rooms."""
