#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Archives of every kind, as skopeo, buildah and tar write them and as a generator does in the forms
# of tools that are not packaged: by pull and by import, from files and from pipes, compressed in
# every way; the tree is always that of the image itself. Hostile ones are refused.
# weight: 25
. "$(dirname "$0")/../support/lib.sh"
cd "$WORK"
export TMPDIR=$WORK
save() { python3 "$SUPPORT/docker_save.py" "$@"; }

python3 "$SUPPORT/tiny_layout.py" layout a 3 >a.digest
python3 "$SUPPORT/tiny_layout.py" layout b 2 >/dev/null
for tag in a b; do
    skopeo copy -q "oci:layout:$tag" "oci-archive:oci-$tag.tar:example.org/x:$tag"
    skopeo copy -q "oci:layout:$tag" "docker-archive:docker-$tag.tar:example.org/x:$tag"
done
expect 0 tp -q pull "oci:$WORK/layout:a"
expect 0 tp -q export --format tar -o want.tree "oci:$WORK/layout:a"
devices=$(json pool status | jq .thin_count)

# same REF: it has the tree, and the very layers, of the image.
same() {
    expect 0 tp -q export --format tar -o got.tree "$1"
    cmp want.tree got.tree || fail "$1: another tree"
    [ "$(json pool status | jq .thin_count)" = "$devices" ] || fail "$1: layers of its own"
}

say 'archives of skopeo, by pull, under the name of the file'
expect 0 tp -q pull oci-archive:oci-a.tar
[ "$(cat out)" = "oci-archive:$WORK/oci-a.tar@$(cat a.digest)" ] || fail "pull printed $(cat out)"
same "oci-archive:$WORK/oci-a.tar"
same oci-archive:oci-a.tar
expect 0 tp -q pull docker-archive:docker-a.tar:example.org/x:a docker-archive:docker-a.tar@0
same docker-archive:docker-a.tar@0
expect 2 tp -q pull docker-archive:docker-a.tar:x:none
expect_error 'no image named'
expect 2 tp -q pull docker-archive:nowhere.tar
expect_error 'no such file'
expect 11 tp -q pull oci-archive:docker-a.tar
expect_error 'oci-layout is not in the archive'
expect 0 tp image inspect docker-archive:docker-b.tar
expect 0 tp rmi oci-archive:oci-a.tar docker-archive:docker-a.tar@0 \
    docker-archive:docker-a.tar:example.org/x:a

say 'by import, under the name that it has, compressed in every way, from files and pipes'
for kind in oci docker; do
    gzip -k $kind-a.tar
    bzip2 -k $kind-a.tar
    xz -k $kind-a.tar
    zstd -qk $kind-a.tar
    for file in $kind-a.tar $kind-a.tar.*; do
        expect 0 tp -q import "$file"
        grep -q '^example.org/x:a@sha256:' out || fail "import printed $(cat out)"
        same example.org/x:a
        expect 0 tp rmi example.org/x:a
        # a pipe cannot be read twice
        cat "$file" | tp -q import - >out || fail "$file from a pipe"
        same example.org/x:a
        expect 0 tp rmi example.org/x:a
    done
done
check_nothing_stray "$ROOT"

say 'forms of other tools'
for form in v10 v25 kaniko jib bazel first; do
    save $form docker-a.tar $form.tar
    expect 0 tp -q import "$form.tar"
    [ "$(cut -d@ -f1 out)" = example.org/x:a ] || fail "$form: import printed $(cat out)"
    same example.org/x:a
    expect 0 tp rmi example.org/x:a
    tp -q import --tag "forms/$form" - <"$form.tar" >out || fail "$form from a file as stdin"
    same "forms/$form"
    expect 0 tp -q pull "docker-archive:$form.tar"
    same "docker-archive:$form.tar"
    expect 0 tp rmi "docker-archive:$form.tar"
done
digest=$(tp -q pull docker-archive:kaniko.tar | sed 's/.*@//')
expect 0 tp -q pull "docker-archive:kaniko.tar@$digest"
expect 0 tp rmi docker-archive:kaniko.tar "docker-archive:kaniko.tar@$digest"

say 'several images: chosen by name or number, or all of them'
expect 3 tp -q import layout
expect_error ':a :b'
expect 0 tp -q import layout:b --tag one:b
expect 0 tp -q import "$WORK/layout@0" --tag one:a
same one:a
skopeo copy -q oci:layout:b oci:both:example.org/both:b
skopeo copy -q oci:layout:a oci:both:example.org/both:a
tar -C both -cf both.tar .
expect 3 tp -q import both.tar
expect 0 tp -q import --all both.tar
[ "$(cut -d@ -f1 out)" = "$(printf 'example.org/both:%s\n' b a)" ] || fail "printed $(cat out)"
same example.org/both:a
expect 3 tp -q import --all both.tar --tag x:1
expect_error 'cannot all be called'
json import --all - <both.tar 2>/dev/null | expect_json 'map(.ref) | join(" ")' \
    'example.org/both:b example.org/both:a'
expect 0 tp -q import "both.tar:example.org/both:b" --tag chosen:b

say 'without a name it is called by where it is, but a pipe is nowhere'
skopeo copy -q oci:layout:a docker-archive:nameless.tar
expect 0 tp -q import nameless.tar
[ "$(cut -d@ -f1 out)" = "docker-archive:$WORK/nameless.tar" ] || fail "printed $(cat out)"
same docker-archive:nameless.tar
expect 3 tp -q import <(cat nameless.tar)
expect_error '--tag'
expect 0 tp -q import --tag piped:1 <(gzip -c nameless.tar)
same piped:1
json import --all <(cat both.tar) 2>/dev/null | expect_json length 2

say 'one that is damaged does not take back those before it'
save config docker-a.tar bad.tar
python3 - bad.tar both-bad.tar <<'PY'
import io, json, sys, tarfile
old = tarfile.open(sys.argv[1])
new = tarfile.open(sys.argv[2], "w")
for m in old:
    data = old.extractfile(m).read()
    if m.name == "manifest.json":
        bad = json.loads(data)[0]
        good = dict(bad, Config="good.json", RepoTags=["good:1"])
        data = json.dumps([good, bad]).encode()
        m.size = len(data)
    new.addfile(m, io.BytesIO(data))
    if m.name.endswith(".json") and m.name != "manifest.json":
        m.name = "good.json"
        new.addfile(m, io.BytesIO(data))
new.close()
PY
expect 5 tp -q --json import --all both-bad.tar
expect_json '.[0].ref' docker.io/library/good:1 <out
same good:1

say 'our own export'
expect 0 tp -q export --format oci-archive -o own.tar one:a
"$PROGRAM" --root "$WORK/other" -q import own.tar >out
[ "$(cut -d@ -f1 out)" = docker.io/library/one:a ] || fail "import of an export: $(cat out)"
"$PROGRAM" --root "$WORK/other" -q export --format tar -o got.tree one:a
cmp want.tree got.tree || fail 'an export has another tree'

say 'the tree of a file system, which has no name; the same one is the same image'
mkdir -p tree/etc tree/usr/bin
echo hello >tree/etc/motd
ln -s ../../etc/motd tree/usr/bin/link
echo '{"name": "not of docker"}' >tree/manifest.json
tar -C tree --sort=name -cf tree.tar .
expect 3 tp -q import tree.tar
expect_error '--tag'
expect 0 tp -q import --tag tree:1 --platform linux/arm64 tree.tar
xz -c tree.tar | tp -q import --tag tree:2 --platform linux/arm64 - >out
json images | expect_json '[.[] | select(.ref | test("library/tree:")) | .digest] | unique | length' 1
json image inspect tree:1 | expect_json '.platform' linux/arm64
expect 0 tp -q export --format tar -o got.tree tree:1
[ "$(tar -xOf got.tree ./etc/motd 2>/dev/null || tar -xOf got.tree etc/motd)" = hello ] || fail 'motd'

say 'hostile and damaged ones are refused, each with one line, and leave nothing'
before=$(json pool status | jq .thin_count)
refuse() { # FORM CODE TEXT
    save "$1" docker-a.tar bad.tar
    expect "$2" "$PROGRAM" --root "$WORK/bad" -q import --tag bad:1 bad.tar
    expect_error "$3"
    "$PROGRAM" --root "$WORK/bad" -q import --tag bad:1 - <bad.tar >/dev/null 2>&1 && fail "$1 taken"
    [ "$("$PROGRAM" --root "$WORK/bad" images -q | wc -l)" = 0 ] || fail "$1: an image"
    check_nothing_stray "$WORK/bad"
}
refuse climb 11 "without '..'"
refuse absolute 11 'are relative'
refuse twice 11 'manifest.json is there more than once'
refuse config 5 'do not have the digest in its name'
refuse layer 5 'is expected'
refuse circle 11 'links in a circle'
refuse outside 11 'a link out of the archive'
refuse sparse 11 holes
refuse many 11 'at most 20971520 are allowed'
refuse null 11 'manifest.json'
refuse v1 10 'docker before 1.10'
refuse truncated 11 'archive ends'
head -c 2000 docker-a.tar.gz >bad.gz
expect 11 tp -q import bad.gz
expect_error gzip
expect 11 tp -q import - # nothing
expect_error 'not a byte'
[ "$(json pool status | jq .thin_count)" = "$before" ] || fail 'the pool grew'
check_pool

say 'killed at random times, from a file and from a pipe'
skopeo copy -q "oci:$IMAGES/debian:debian" docker-archive:debian.tar:example.org/debian:12
expect 0 "$PROGRAM" --root "$WORK/whole" -q import debian.tar
chains() { "$PROGRAM" --root "$1" --json image inspect example.org/debian:12 | jq -c '[.layers[].chain_id]'; }
kills=0
# Each in a folder of its own, or a pool that is nearly whole already would be all that is tried.
killed() { # SECONDS FILE|-
    local status=0
    rm -rf "$WORK/killed"
    timeout -s KILL "$1" "$PROGRAM" --root "$WORK/killed" -q import "$2" \
        < <(cat debian.tar 2>/dev/null) >/dev/null 2>&1 || status=$?
    case $status in 0) ;; 137) kills=$((kills + 1)) ;; *) fail "killed after $1 s: exit $status" ;; esac
    [ ! -e "$WORK/killed/spool" ] || [ -z "$(ls -A "$WORK/killed/spool")" ] || fail 'something is left'
    [ ! -e "$WORK/killed/pools/default/meta" ] || check_pool "$WORK/killed"
}
for ms in $(points 600 8); do
    late=$(printf '0.%03d' "$ms")
    killed "$late" debian.tar
    killed "$late" -
done
[ "$kills" -ge 2 ] || fail "only $kills were killed in the middle"
expect 0 "$PROGRAM" --root "$WORK/killed" -q import debian.tar
[ "$(chains "$WORK/killed")" = "$(chains "$WORK/whole")" ] || fail 'other layers after kills'
check_nothing_stray "$WORK/killed"
check_pool "$WORK/killed"
finish
