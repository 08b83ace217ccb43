{{- /* A value of the chart, or the global one where it is empty: (list $ "tolerations"). */}}
{{- define "external-secrets-rs.ownOrGlobal" -}}
{{- $values := (index . 0).Values }}
{{- $name := index . 1 }}
{{- with default (get $values.global $name) (get $values $name) }}
{{ $name }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* The pod's spec; a field of podSpecExtra replaces the same field. */}}
{{- define "external-secrets-rs.podSpec" -}}
{{- $spec := include "external-secrets-rs.ownPodSpec" . | fromYaml }}
{{- range $field, $value := .Values.podSpecExtra }}{{ $_ := set $spec $field $value }}{{ end }}
{{- toYaml $spec }}
{{- end }}

{{- define "external-secrets-rs.ownPodSpec" -}}
serviceAccountName: {{ include "external-secrets-rs.serviceAccountName" . }}
automountServiceAccountToken: {{ .Values.serviceAccount.automount }}
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
hostNetwork: {{ .Values.hostNetwork }}
{{- include "external-secrets-rs.placement" . }}
{{- include "external-secrets-rs.spread" . }}
{{- include "external-secrets-rs.ownOrGlobal" (list . "hostAliases") }}
{{- with (and .Values.hostNetwork (eq .Values.dnsPolicy "ClusterFirst")) | ternary "ClusterFirstWithHostNet" .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
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
{{- end }}

{{- /* Where a pod may run and as whom: the operator's, and that of `helm test`. */}}
{{- define "external-secrets-rs.placement" -}}
{{- range list "imagePullSecrets" "nodeSelector" "tolerations" "affinity" }}
{{- include "external-secrets-rs.ownOrGlobal" (list $ .) }}
{{- end }}
{{- range $name := list "priorityClassName" "runtimeClassName" "schedulerName" }}
{{- with get $.Values $name }}
{{ $name }}: {{ . }}
{{- end }}
{{- end }}
{{- if .Values.podSecurityContext.enabled }}
securityContext:
  {{- omit .Values.podSecurityContext "enabled" | toYaml | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Replicas on one node fall with it, so they are spread where that is possible. */}}
{{- define "external-secrets-rs.spread" -}}
{{- if or .Values.topologySpreadConstraints .Values.global.topologySpreadConstraints }}
{{- include "external-secrets-rs.ownOrGlobal" (list . "topologySpreadConstraints") }}
{{- else }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "external-secrets-rs.selectorLabels" . | nindent 8 }}
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
