{{- define "external-secrets-rs.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* A release called external-secrets has objects called so too. */}}
{{- define "external-secrets-rs.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (default "external-secrets" .Values.nameOverride) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "external-secrets-rs.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "external-secrets-rs.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- /* The one namespace that the operator looks at; empty for all. */}}
{{- define "external-secrets-rs.scope" -}}
{{- if or .Values.scopedNamespace .Values.scopedRBAC }}
{{- default (include "external-secrets-rs.namespace" .) .Values.scopedNamespace }}
{{- end }}
{{- end }}

{{- define "external-secrets-rs.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "external-secrets-rs.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- if and .Values.rbac.create (not .Values.serviceAccount.name) }}
{{- fail "serviceAccount.create is false and serviceAccount.name is empty: the account `default`, which other pods run as, would get the operator's rights; set serviceAccount.name" }}
{{- end }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "external-secrets-rs.selectorLabels" -}}
app.kubernetes.io/name: {{ include "external-secrets-rs.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "external-secrets-rs.labels" -}}
{{- include "external-secrets-rs.labelsWith" (list .) }}
{{- end }}

{{- /* All labels of an object: (list $ more…). A later map replaces a key of an earlier one, so that none is there twice, and nobody
replaces those that selectors look for. */}}
{{- define "external-secrets-rs.labelsWith" -}}
{{- $top := first . }}
{{- $chart := printf "%s-%s" $top.Chart.Name $top.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- $labels := dict "helm.sh/chart" $chart "app.kubernetes.io/version" $top.Chart.AppVersion "app.kubernetes.io/managed-by" $top.Release.Service }}
{{- $selected := include "external-secrets-rs.selectorLabels" $top | fromYaml }}
{{- range concat (list $top.Values.commonLabels) (rest .) (list $selected) }}
{{- range $key, $value := . }}{{ $_ := set $labels $key $value }}{{ end }}
{{- end }}
{{- toYaml $labels }}
{{- end }}

{{- define "external-secrets-rs.image" -}}
{{- if eq (base .Values.image.repository) "external-secrets" }}
{{- fail "image.repository names the image of External Secrets Operator, which has other flags: take it out of your values, or name an image of external-secrets-rs" }}
{{- end }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "external-secrets-rs.livePort" -}}
{{- $port := .Values.livenessProbe.spec.httpGet.port }}
{{- if kindIs "string" $port }}{{ $port = .Values.livenessProbe.spec.port }}{{ end }}
{{- $other := .Values.readinessProbe.spec.httpGet.port }}
{{- if not (or (kindIs "string" $other) (eq (int $other) (int $port))) }}
{{- fail (printf "readinessProbe.spec.httpGet.port is %d, and the health server listens on %d: set livenessProbe.spec.port, which is for both probes" (int $other) (int $port)) }}
{{- end }}
{{- if eq (int $port) (int .Values.metrics.listen.port) }}
{{- fail (printf "metrics.listen.port and livenessProbe.spec.port are both %d" (int $port)) }}
{{- end }}
{{- $port }}
{{- end }}

{{- define "external-secrets-rs.liveAddress" -}}
{{- $address := .Values.livenessProbe.spec.address }}
{{- if eq $address "::" }}[::]{{ else }}{{ $address }}{{ end }}
{{- end }}

{{- /* Without leader election a second replica would work against the first. */}}
{{- define "external-secrets-rs.replicas" -}}
{{- if and (gt (int .Values.replicaCount) 1) (not .Values.leaderElect) }}
{{- fail (printf "replicaCount is %d, and leaderElect is false: the replicas would work against each other; set leaderElect to true" (int .Values.replicaCount)) }}
{{- end }}
{{- .Values.replicaCount }}
{{- end }}

{{- /* What External Secrets Operator's users may have switched off to keep tenants apart is refused, not passed over. */}}
{{- define "external-secrets-rs.refuseWideScope" -}}
{{- if eq (toString .Values.processClusterStore) "false" }}
{{- fail "processClusterStore is false, but this operator processes ClusterSecretStores wherever it looks at all namespaces: set scopedNamespace or scopedRBAC, or take processClusterStore out of your values" }}
{{- end }}
{{- if eq (toString .Values.processSecretStore) "false" }}
{{- fail "processSecretStore is false, but this operator always processes SecretStores: take processSecretStore out of your values" }}
{{- end }}
{{- end }}

{{- define "external-secrets-rs.leaseName" -}}
{{- default (include "external-secrets-rs.fullname" .) .Values.leaderElectionID }}
{{- end }}

{{- define "external-secrets-rs.args" -}}
- run
{{- with include "external-secrets-rs.scope" . }}
- --namespace={{ . }}
{{- end }}
{{- with .Values.controllerClass }}
- --controller-class={{ . }}
{{- end }}
- --concurrent={{ .Values.concurrent }}
{{- with .Values.storeRequeueInterval }}
- --store-requeue-interval={{ . }}
{{- end }}
{{- if .Values.leaderElect }}
- --enable-leader-election
- --leader-election-id={{ include "external-secrets-rs.leaseName" . }}
- --leader-election-namespace={{ include "external-secrets-rs.namespace" . }}
{{- with .Values.leaderElectionLeaseDuration }}
- --leader-election-lease-duration={{ . }}
{{- end }}
{{- with .Values.leaderElectionRenewDeadline }}
- --leader-election-renew-deadline={{ . }}
{{- end }}
{{- with .Values.leaderElectionRetryPeriod }}
- --leader-election-retry-period={{ . }}
{{- end }}
{{- end }}
- --loglevel={{ .Values.log.level }}
- --metrics-addr=:{{ .Values.metrics.listen.port }}
- --live-addr={{ include "external-secrets-rs.liveAddress" . }}:{{ include "external-secrets-rs.livePort" . }}
{{- $owners := .Files.Get "files/flags.yaml" | fromYaml }}
{{- $ignored := .Files.Get "files/ignored-values.yaml" | fromYaml }}
{{- range $flag, $value := .Values.extraArgs }}
{{- if hasKey $owners $flag }}
{{- fail (printf "extraArgs.%s is set by the chart: set %s instead" $flag (get $owners $flag)) }}
{{- else if hasKey $ignored (printf "extraArgs.%s" $flag) }}
{{- else if or (kindIs "invalid" $value) (eq (toString $value) "") }}
- --{{ $flag }}
{{- else }}
- {{ printf "--%s=%s" $flag (kindIs "string" $value | ternary $value (toJson $value)) | quote }}
{{- end }}
{{- end }}
{{- end }}
