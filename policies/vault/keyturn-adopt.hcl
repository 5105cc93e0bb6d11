# What Keyturn needs of Vault or OpenBao beside keyturn.hcl to adopt keys that teams keep in KV version 2 at secret/,
# under teams/. Name the same paths in adopt-from of keyturn.yaml; leave it out again when nothing is left to adopt.
#
#   bao policy write keyturn-adopt keyturn-adopt.hcl

# A secret is read. Nothing is listed, changed or deleted: the original is left to those whose it is.
path "secret/data/teams/*" {
  capabilities = ["read"]
}
