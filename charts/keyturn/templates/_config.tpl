{{/* keyturn.yaml. Paths are relative to /var/lib/keyturn. */}}
{{- define "keyturn.config" -}}
{{- $host := include "keyturn.host" . -}}
{{- $names := list $host (include "keyturn.name" .) (printf "%s.%s" (include "keyturn.name" .) .Release.Namespace) -}}
{{- $urls := list (printf "https://%s:%d" $host (int .Values.service.port)) -}}
{{- range until (int .Values.replicas) -}}
{{- $pod := printf "%s-%d.%s.%s.svc" (include "keyturn.name" $) . (include "keyturn.pods" $) $.Release.Namespace -}}
{{- $names = append $names $pod -}}
{{- $urls = append $urls (printf "https://%s:8443" $pod) -}}
{{- end -}}
{{- $names = concat $names .Values.config.names (list "localhost" "127.0.0.1") -}}
{{- $masterKey := dict "file" "private/master.key" -}}
{{- $wrapped := dict "wrapped-file" "private/master.key" -}}
{{- if .Values.masterKey.vaultTransit -}}
{{- $masterKey = dict "vault-transit" (merge $wrapped .Values.masterKey.vaultTransit) -}}
{{- else if .Values.masterKey.awsKms -}}
{{- $masterKey = dict "aws-kms" (merge $wrapped .Values.masterKey.awsKms) -}}
{{- end -}}
{{- $store := index .Values.config "default-store" -}}
{{- if not (hasKey .Values.config.stores $store) -}}
{{- fail (printf "config.default-store: %q is not a member of config.stores. The instance's own file takes no keys here: each pod has a copy of it that ends with the pod." $store) -}}
{{- end -}}
{{- range $name, $issuer := .Values.config.issuers -}}
{{- if and $issuer.store (not (hasKey $.Values.config.stores $issuer.store)) -}}
{{- fail (printf "config.issuers.%s.store: %q is not a member of config.stores. The instance's own file takes no keys here: each pod has a copy of it that ends with the pod." $name $issuer.store) -}}
{{- end -}}
{{- end -}}
{{- $config := dict
  "listen" (dict "host" .Values.config.host "port" 8443 "names" $names)
  "urls" (default $urls .Values.config.urls)
  "certificate" (dict "ca" "private/ca.crt")
  "log" (dict "origin" .Values.instance.origin)
  "ledger" .Values.config.ledger
  "journal" (dict "path" "state/journal/freeze.journal")
  "checkpoint" (dict "path" (ternary "outside/checkpoint" "state/checkpoint/checkpoint" (ne .Values.checkpoint.claim "")))
  "keystore" (dict "path" "private/keys.ktn" "master-key" $masterKey)
  "stores" .Values.config.stores
  "default-store" $store
  "policies" (dict "access" "policies/access" "partners" "policies/partners")
  "socket" (dict "path" "run/keyturn.sock")
-}}
{{- range $member := list "cache" "leases" "issuers" "rotation" "notify" "backup" -}}
{{- with index $.Values.config $member }}{{ $_ := set $config $member . }}{{ end -}}
{{- end -}}
{{ toYaml $config }}
{{- end }}
