{{- /*
The processes that run for ever, as YAML: the API, and the workers of files/workers.yaml. Each has `networks`,
`secrets` and `environment` as in deploy/production.yaml, and `values`: the operator's.
*/}}
{{- define "mousetrap.processes" -}}
api:
  networks: [front, data, queue]
  secrets: [api_postgres_dsn, api_redis_url, api_tokens]
  environment:
    MOUSETRAP_POSTGRES_DSN_FILE: /run/secrets/api_postgres_dsn
    MOUSETRAP_REDIS_URL_FILE: /run/secrets/api_redis_url
    MOUSETRAP_SOURCES_FILE: /etc/mousetrap/sources.toml
    MOUSETRAP_TRUSTED_PROXIES: {{ join "," .Values.trustedProxies | quote }}
    MOUSETRAP_API_TOKENS_FILE: /run/secrets/api_tokens
    {{- $api := printf "%s-api" (include "mousetrap.fullname" .) }}
    {{- $inside := printf "%s.%s" $api .Release.Namespace }}
    MOUSETRAP_ALLOWED_HOSTS: {{ concat (list $api $inside (printf "%s.svc" $inside)) .Values.hosts | join "," | quote }}
    MOUSETRAP_ROOT_PATH: {{ .Values.rootPath | quote }}
  needs: []
  values:
    {{- toYaml .Values.api | nindent 4 }}
{{- range $name, $worker := .Files.Get "files/workers.yaml" | fromYaml }}
{{ $name }}:
  {{- toYaml $worker | nindent 2 }}
  values:
    {{- mergeOverwrite (deepCopy $.Values.worker) (get $.Values.workers $name | default dict) | toYaml | nindent 4 }}
{{- end }}
{{- end }}

{{- /* The migration, in the same form. */}}
{{- define "mousetrap.migrate" -}}
networks: [data]
secrets: [owner_postgres_dsn]
environment:
  MOUSETRAP_POSTGRES_DSN_FILE: /run/secrets/owner_postgres_dsn
  MOUSETRAP_API_ROLE: mousetrap_api
  MOUSETRAP_PROCESS_ROLE: mousetrap_process
  MOUSETRAP_FOLLOW_UP_ROLE: mousetrap_follow_up
  MOUSETRAP_ADMIN_ROLE: mousetrap_admin
needs: []
values:
  {{- toYaml .Values.migrate | nindent 2 }}
{{- end }}

{{- /* (list ROOT NETWORK): the components of a network of deploy/production.yaml, as JSON in `components`. */}}
{{- define "mousetrap.members" -}}
{{- $network := index . 1 }}
{{- $found := list }}
{{- range $name, $process := include "mousetrap.processes" (index . 0) | fromYaml }}
{{- if has $network $process.networks }}{{ $found = append $found $name }}{{ end }}
{{- end }}
{{- if eq $network "data" }}{{ $found = append $found "migrate" }}{{ end }}
{{- dict "components" $found | toJson }}
{{- end }}

{{- /* A value of a setting; Helm reads numbers as floats and would print 1000000 as 1e+06. */}}
{{- define "mousetrap.setting" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}
