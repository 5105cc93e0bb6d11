# What Keyturn's issuer needs of a PKI engine at pki/ of Vault or OpenBao, with the role keyturn.
# Another mount or role: replace both words in every path.
#
#   bao policy write keyturn-issuer keyturn-issuer.hcl

# Requests are signed by this one role, after a look at what it would sign. "pki/issue/…", which makes keys, and
# "pki/sign-verbatim/…", which signs anything, are left out on purpose.
path "pki/sign/keyturn" {
  capabilities = ["update"]
}
path "pki/roles/keyturn" {
  capabilities = ["read"]
}

# What was issued for a key is looked for when an answer was lost. The certificates themselves anybody may read.
path "pki/certs" {
  capabilities = ["list"]
}

# Any certificate of the engine can be revoked by it: give it an engine of its own.
path "pki/revoke" {
  capabilities = ["update"]
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
