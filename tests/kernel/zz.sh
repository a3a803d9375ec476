. /run/src/tests/kernel/lib.sh
start_registry "$TOP/build/images/debian:debian"
export THINPULL_ENGINE=kernel
tp pool create --size 2G --base-size 1G --loop || tp pool create --size 2G --base-size 1G || true
time tp --debug pull -q $REGISTRY/debian:debian 2>&1 | tail -20
tp --json pool status
tp images
dmsetup ls; dmsetup info -c; losetup -l
time tp create $REGISTRY/debian:debian box
time tp mount box
dmsetup ls; tp pool check
tp pool deactivate
