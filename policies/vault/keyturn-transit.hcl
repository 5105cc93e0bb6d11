# What Keyturn needs of Vault or OpenBao to open an encrypted file whose master key is wrapped by transit.
# Another mount or key: replace both words in every path.
#
#   bao policy write keyturn-transit keyturn-transit.hcl

# Asked each time that the file is opened.
path "transit/decrypt/keyturn" {
  capabilities = ["update"]
}

# Asked once, when the master key is wrapped. May be left out afterwards.
path "transit/encrypt/keyturn" {
  capabilities = ["update"]
}
