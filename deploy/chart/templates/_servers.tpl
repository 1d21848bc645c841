{{- /* (list ROOT SERVER): the metadata of the Service of a bundled server, whose name is in the addresses. */}}
{{- define "mousetrap.server-metadata" -}}
{{- $root := index . 0 -}}
name: {{ (get $root.Values (index . 1)).service | quote }}
namespace: {{ $root.Release.Namespace | quote }}
labels:
  {{- include "mousetrap.labels" . | nindent 2 }}
{{- end }}

{{- /* The volumes that Postgres writes. */}}
{{- define "mousetrap.postgres-mounts" -}}
- { name: data, mountPath: /var/lib/postgresql/data }
- { name: tmp, mountPath: /tmp }
- { name: run, mountPath: /var/run/postgresql }
- { name: shm, mountPath: /dev/shm }
{{- end }}

{{- /* VALUES: the claim of a server. */}}
{{- define "mousetrap.claim" -}}
metadata: { name: data }
spec:
  accessModes: [ReadWriteOnce]
  {{- with .storageClass }}
  storageClassName: {{ . | quote }}
  {{- end }}
  resources: { requests: { storage: {{ .storage | quote }} } }
{{- end }}
