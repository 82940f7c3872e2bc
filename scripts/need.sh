#!/usr/bin/env bash
# need.sh WHAT...: installs, from Debian's packages, each thing that is missing.
#   aws    the AWS CLI
#   boto3  the AWS SDK for Python
#   node   Node.js and npm
#   cc     a C compiler
#   nft    nftables' own program, beside which the rulesets are checked
#   curl   curl
#   ext4   mkfs.ext4, for disks with a quota
#   zstd   zstd, beside which log events' size is measured
#   openssl  openssl, by which a story's SAML provider signs
#   skopeo  copies images between registries
#   docker-registry  beside which pushes and pulls are measured
#   docker   pushes an image in a story; beside it and podman tasks are measured
#   podman   see there
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # where some users do not look

missing=()
for what in "$@"; do
	case $what in
	aws) command -v aws >/dev/null || missing+=(awscli) ;;
	boto3) python3 -c 'import boto3' 2>/dev/null || missing+=(python3-boto3) ;;
	node)
		command -v node >/dev/null || missing+=(nodejs)
		command -v npm >/dev/null || missing+=(npm)
		;;
	nft) command -v nft >/dev/null || missing+=(nftables) ;;
	curl) command -v curl >/dev/null || missing+=(curl ca-certificates) ;;
	ext4) command -v mkfs.ext4 >/dev/null || missing+=(e2fsprogs) ;;
	zstd) command -v zstd >/dev/null || missing+=(zstd) ;;
	openssl) command -v openssl >/dev/null || missing+=(openssl) ;;
	skopeo) command -v skopeo >/dev/null || missing+=(skopeo) ;;
	docker-registry) command -v docker-registry >/dev/null || missing+=(docker-registry) ;;
	docker) command -v dockerd >/dev/null || missing+=(docker.io) ;;
	podman) command -v podman >/dev/null || missing+=(podman runc) ;;
	cc) command -v cc >/dev/null || missing+=(gcc libc6-dev) ;;
	*) echo "need.sh: unknown: $what" >&2; exit 2 ;;
	esac
done
[ ${#missing[@]} -eq 0 ] && exit 0
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d # Debian asks it before a package starts a service; none is wanted
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy
	trap 'rm -f $policy' EXIT
fi
apt-get update -q
apt-get install -qy --no-install-recommends "${missing[@]}"
