"""Kubeflow Pipelines' own compiler, driver and launcher, on what they need of a cluster.

The commands are Go's, declared as tools in `go.mod`; `make kubeflow-backend-test` builds them. What
else runs is real where it can be: the metadata store is ML Metadata's, the object store is moto's,
the pods are containers of our image. Not real: the API server, of which two objects are served
(`kubernetes_api.py`), Argo's controller (`argo.py`) and the kubelet (`pods.py`). The cache of
Kubeflow's API server is switched off, and nothing is started anew.
"""
