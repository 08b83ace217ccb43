{{- /* What the operator may do: the same as deploy/manifests/rbac.yaml, where each rule has its reason. tests/helm.rs holds both equal.
In one namespace the cluster's kinds are left out, which a Role can't give and the operator doesn't ask for. */}}
{{- define "external-secrets-rs.rules" -}}
{{- $scoped := .Values.scopedRBAC -}}
- apiGroups: [external-secrets.io]
  resources: [externalsecrets, secretstores{{ if not $scoped }}, clustersecretstores{{ end }}]
  verbs: [get, list, watch, patch]
- apiGroups: [external-secrets.io]
  resources: [externalsecrets/status, secretstores/status{{ if not $scoped }}, clustersecretstores/status{{ end }}]
  verbs: [patch]
- apiGroups: [external-secrets.io]
  resources: [externalsecrets/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, update, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch]
{{- if not $scoped }}
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
{{- end }}
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, list, watch]
{{- if .Values.rbac.serviceAccountTokenCreate }}
- apiGroups: [""]
  resources: [serviceaccounts/token]
  verbs: [create]
{{- end }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}
