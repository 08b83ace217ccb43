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
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "external-secrets-rs.selectorLabels" -}}
app.kubernetes.io/name: {{ include "external-secrets-rs.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "external-secrets-rs.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "external-secrets-rs.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "external-secrets-rs.image" -}}
{{- if hasSuffix "/external-secrets/external-secrets" .Values.image.repository }}
{{- fail "image.repository names the image of External Secrets Operator, which has other flags: take it out of your values, or name an image of external-secrets-rs" }}
{{- end }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%v" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "external-secrets-rs.livePort" -}}
{{- $port := .Values.livenessProbe.spec.httpGet.port }}
{{- if kindIs "string" $port }}{{ .Values.livenessProbe.spec.port }}{{ else }}{{ $port }}{{ end }}
{{- end }}

{{- /* Without leader election a second replica would work against the first. */}}
{{- define "external-secrets-rs.replicas" -}}
{{- if and (gt (int .Values.replicaCount) 1) (not .Values.leaderElect) }}
{{- fail (printf "replicaCount is %d, and leaderElect is false: the replicas would work against each other; set leaderElect to true" (int .Values.replicaCount)) }}
{{- end }}
{{- .Values.replicaCount }}
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
- --live-addr={{ .Values.livenessProbe.spec.address }}:{{ include "external-secrets-rs.livePort" . }}
{{- range $flag, $value := .Values.extraArgs }}
{{- if or (kindIs "invalid" $value) (eq (toString $value) "") }}
- --{{ $flag }}
{{- else }}
- {{ printf "--%s=%v" $flag $value | quote }}
{{- end }}
{{- end }}
{{- end }}
