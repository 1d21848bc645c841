{{- define "mousetrap.name" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- /* Short enough for `-process-worker` behind it. */}}
{{- define "mousetrap.fullname" -}}
{{- $name := include "mousetrap.name" . }}
{{- $both := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- .Values.fullnameOverride | default $both | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- /* (list ROOT COMPONENT): the labels that select the pods of a component; they never change. */}}
{{- define "mousetrap.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "mousetrap.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- /* (list ROOT COMPONENT): the labels of an object. */}}
{{- define "mousetrap.labels" -}}
{{- $root := index . 0 -}}
{{ include "mousetrap.selector" . }}
{{- with $root.Values.image.tag | default $root.Chart.AppVersion }}
app.kubernetes.io/version: {{ . | trunc 63 | trimAll "_.-" | quote }}
{{- end }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* (list ROOT COMPONENT): the metadata of an object that is named after its component. */}}
{{- define "mousetrap.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "mousetrap.fullname" $root }}-{{ index . 1 }}
namespace: {{ $root.Release.Namespace | quote }}
labels:
  {{- include "mousetrap.labels" . | nindent 2 }}
{{- end }}

{{- /* (list ROOT NAME): an image of ours. */}}
{{- define "mousetrap.image" -}}
{{- $root := index . 0 }}
{{- $name := index . 1 }}
{{- $image := printf "%s/%s" $root.Values.image.repository $name }}
{{- $tag := $root.Values.image.tag | default $root.Chart.AppVersion }}
{{- $digest := get $root.Values.image.digests $name }}
{{- if not (or $tag $digest) }}
{{- fail "image.tag: name the revision to run, `git rev-parse --short=12 HEAD` of the build; a chart from `./pants package` knows it" }}
{{- end }}
{{- with $tag }}{{ $image = printf "%s:%s" $image . }}{{ end }}
{{- with $digest }}{{ $image = printf "%s@%s" $image . }}{{ end }}
{{- $image }}
{{- end }}
