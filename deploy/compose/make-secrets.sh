#!/bin/sh
# Makes the secrets of docker-compose.yml in the folder $1. Those that are there already stay as they are.
set -eu
folder=$1
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
# A name appears only with its whole content.
make() {
  [ -s "$folder/$1" ] && return
  printf '%s' "$2" >"$folder/.$1.new"
  chmod 0444 "$folder/.$1.new"
  mv "$folder/.$1.new" "$folder/$1"
}
make postgres-password "$(random)"
make database-url "postgres://mediakeep:$(cat "$folder/postgres-password")@postgres:5432/mediakeep"
make jwt-secret "$(random)"
make object-store-password "$(random)"
