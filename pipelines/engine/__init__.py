"""The in-process executor of compiled Kubeflow Pipelines: the component sources in the file, run one after another.

Callers take what they need from the modules, most of which import kfp: `load_spec` from `spec`, `check_parameters` and
`parse_parameter` from `parameters`, `execute` and `TaskFailed` from `execute`. `record` imports nothing heavy.
"""
