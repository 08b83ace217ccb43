{{- /* A value of the chart, or the global one where it is empty: (list $ "tolerations"). */}}
{{- define "external-secrets-rs.ownOrGlobal" -}}
{{- $values := (index . 0).Values }}
{{- $name := index . 1 }}
{{- with default (get $values.global $name) (get $values $name) }}
{{ $name }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "external-secrets-rs.podSpec" -}}
serviceAccountName: {{ include "external-secrets-rs.serviceAccountName" . }}
automountServiceAccountToken: {{ .Values.serviceAccount.automount }}
# Syncs under way get 20 s to end, and 5 s are for revoking the Vault tokens.
terminationGracePeriodSeconds: 30
hostNetwork: {{ .Values.hostNetwork }}
{{- range list "imagePullSecrets" "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "hostAliases" }}
{{- include "external-secrets-rs.ownOrGlobal" (list $ .) }}
{{- end }}
{{- range $name := list "priorityClassName" "runtimeClassName" "schedulerName" "dnsPolicy" }}
{{- with get $.Values $name }}
{{ $name }}: {{ . }}
{{- end }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .Values.podSecurityContext.enabled }}
securityContext:
  {{- omit .Values.podSecurityContext "enabled" | toYaml | nindent 2 }}
{{- end }}
{{- with .Values.extraInitContainers }}
initContainers:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  {{- include "external-secrets-rs.container" . | nindent 2 }}
  {{- with .Values.extraContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.extraVolumes }}
volumes:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSpecExtra }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "external-secrets-rs.container" -}}
- name: external-secrets
  image: {{ include "external-secrets-rs.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args:
    {{- include "external-secrets-rs.args" . | nindent 4 }}
  env:
    # Names this replica in events.
    - name: POD_NAME
      valueFrom:
        fieldRef:
          fieldPath: metadata.name
    {{- with .Values.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    - name: metrics
      containerPort: {{ .Values.metrics.listen.port }}
      protocol: TCP
    - name: live
      containerPort: {{ include "external-secrets-rs.livePort" . }}
      protocol: TCP
  {{- if .Values.livenessProbe.enabled }}
  livenessProbe:
    {{- omit .Values.livenessProbe.spec "address" "port" | toYaml | nindent 4 }}
  {{- end }}
  {{- if .Values.readinessProbe.enabled }}
  readinessProbe:
    {{- omit .Values.readinessProbe.spec "address" "port" | toYaml | nindent 4 }}
  {{- end }}
  {{- with .Values.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .Values.securityContext.enabled }}
  securityContext:
    {{- omit .Values.securityContext "enabled" | toYaml | nindent 4 }}
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  volumeMounts:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
