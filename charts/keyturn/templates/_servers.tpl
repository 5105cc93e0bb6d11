{{- define "keyturn.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "keyturn.mounts" -}}
- { name: home, mountPath: /var/lib/keyturn }
- { name: state, mountPath: /var/lib/keyturn/state }
{{- if .Values.checkpoint.claim }}
- { name: outside, mountPath: /var/lib/keyturn/outside, subPathExpr: $(POD) }
{{- end }}
{{- end }}

{{- define "keyturn.stateFolders" -}}
{{ list "state/journal" "state/checkpoint" | toJson }}
{{- end }}

{{/* What the container "secrets" copies, as it sees it. */}}
{{- define "keyturn.secretFiles" -}}
{{- $files := list "/in/keys.ktn" "/in/ca.crt" "/in/master.key" -}}
{{- range .Values.files }}{{ $files = append $files (printf "/in/%s" .name) }}{{ end -}}
{{ $files | toJson }}
{{- end }}

{{/* A container of our image that runs one program, without a shell, before the server starts. */}}
{{- define "keyturn.prepare" -}}
- name: {{ .name }}
  image: {{ include "keyturn.image" .root }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: {{ .command | toJson }}
  workingDir: /var/lib/keyturn
  {{- if .root.Values.checkpoint.claim }}
  env: [{ name: POD, valueFrom: { fieldRef: { fieldPath: metadata.name } } }]
  {{- end }}
  securityContext: {{- include "keyturn.restricted" .root | nindent 4 }}
  resources:
    requests: { cpu: 10m, memory: 16Mi }
    limits: { memory: 64Mi }
  volumeMounts:
    {{- include "keyturn.mounts" .root | nindent 4 }}
    {{- if .secrets }}
    - { name: secrets, mountPath: /in, readOnly: true }
    {{- end }}
{{- end }}
