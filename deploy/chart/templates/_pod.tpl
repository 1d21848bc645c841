{{- /* What restricted pod security asks of a container, and a root file system that nobody writes. */}}
{{- define "mousetrap.container-security" -}}
allowPrivilegeEscalation: false
capabilities: { drop: [ALL] }
readOnlyRootFilesystem: true
{{- end }}

{{- /* USER: what it asks of a pod. */}}
{{- define "mousetrap.pod-security" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- /* (list SECRET KEYS): a volume with some keys of a Secret, which only the user of the pod may read. */}}
{{- define "mousetrap.secrets" -}}
name: secrets
secret:
  secretName: {{ index . 0 | quote }}
  defaultMode: 0440
  items:
    {{- range index . 1 }}
    - { key: {{ . }}, path: {{ . }} }
    {{- end }}
{{- end }}

{{- /* NAME SIZE: a file system in memory; it counts as memory of the containers. */}}
{{- define "mousetrap.tmpfs" -}}
name: {{ index . 0 }}
emptyDir: { medium: Memory, sizeLimit: {{ index . 1 }} }
{{- end }}

{{- /* (dict root component image process args): the spec of a pod of ours, but its probes and its lifecycle. */}}
{{- define "mousetrap.pod" -}}
{{- $values := .process.values -}}
serviceAccountName: {{ include "mousetrap.fullname" .root }}-{{ .component }}
automountServiceAccountToken: false
# Otherwise Kubernetes sets variables such as MOUSETRAP_API_PORT, which are refused as unknown settings.
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "mousetrap.pod-security" 65532 | nindent 2 }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- range $field := list "nodeSelector" "tolerations" "affinity" }}
{{- with get $values $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
containers:
  - name: {{ .component }}
    image: {{ include "mousetrap.image" (list .root .image) | quote }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    {{- with .args }}
    args: {{ toJson . }}
    {{- end }}
    securityContext:
      {{- include "mousetrap.container-security" . | nindent 6 }}
    env:
      {{- range $name, $value := .process.environment }}
      - { name: {{ $name }}, value: {{ $value | quote }} }
      {{- end }}
      {{- range $name, $value := $values.settings }}
      - { name: MOUSETRAP_{{ upper $name }}, value: {{ include "mousetrap.setting" $value | quote }} }
      {{- end }}
      {{- with $values.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    resources:
      {{- toYaml $values.resources | nindent 6 }}
    {{- with .health }}
    {{- . | nindent 4 }}
    {{- end }}
    volumeMounts:
      - { name: tmp, mountPath: /tmp }
      - { name: secrets, mountPath: /run/secrets, readOnly: true }
      {{- if hasKey .process.environment "MOUSETRAP_SOURCES_FILE" }}
      - { name: sources, mountPath: /etc/mousetrap, readOnly: true }
      {{- end }}
      {{- with $values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - {{ include "mousetrap.tmpfs" (list "tmp" "64Mi") | nindent 4 | trim }}
  - {{ include "mousetrap.secrets" (list ($values.secret | default .root.Values.secret) .process.secrets) | nindent 4 | trim }}
  {{- if hasKey .process.environment "MOUSETRAP_SOURCES_FILE" }}
  - name: sources
    configMap: { name: {{ .root.Values.sourcesConfigMap | default (printf "%s-sources" (include "mousetrap.fullname" .root)) | quote }} }
  {{- end }}
  {{- with $values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* (dict root component process): annotations and labels of a pod of ours. */}}
{{- define "mousetrap.pod-metadata" -}}
{{- $annotations := deepCopy .process.values.podAnnotations }}
{{- if and .root.Values.sources (hasKey .process.environment "MOUSETRAP_SOURCES_FILE") }}
{{- $_ := set $annotations "mousetrap/sources" (sha256sum .root.Values.sources) }}
{{- end }}
labels:
  {{- include "mousetrap.selector" (list .root .component) | nindent 2 }}
  {{- with .process.values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
