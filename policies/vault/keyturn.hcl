# What Keyturn's key store needs of Vault or OpenBao: a KV version 2 engine at secret/, records under keyturn/.
# Another mount or prefix: replace both words in every path.
#
#   bao policy write keyturn keyturn.hcl

# A record is created and read. "update" is left out on purpose: with this policy nobody overwrites a key.
path "secret/data/keyturn/*" {
  capabilities = ["create", "read"]
}

# A record is destroyed whole; its name and time are copied to custom_metadata, for people.
path "secret/metadata/keyturn/*" {
  capabilities = ["list", "update", "delete"]
}

# To renew its token, to tell an expired token from a missing capability, and to name that capability.
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "sys/capabilities-self" {
  capabilities = ["update"]
}
