# SPDX-License-Identifier: Apache-2.0
# nginx in front of a registry, for the scripts that source it after lib.sh.
# shellcheck shell=bash
# shellcheck disable=SC2154

# start_nginx: with the servers that stdin describes, in the language of nginx. What they are asked
# is a line each in $WORK/nginx.log: "HOST PROTOCOL STATUS METHOD URL X-MINE USER CLIENT".
start_nginx() {
    mkdir -p "$WORK/nginx"
    {
        cat <<CONF
daemon off;
master_process off;
user root root;
pid $WORK/nginx/pid;
error_log $WORK/nginx/error.log;
events { worker_connections 256; }
http {
    log_format asked '\$host \$server_protocol \$status \$request_method \$request_uri '
                     '\$http_x_mine \$remote_user \$ssl_client_s_dn';
    access_log $WORK/nginx.log asked;
    default_type application/octet-stream;
    client_body_temp_path $WORK/nginx/body;
    proxy_temp_path $WORK/nginx/proxy;
    fastcgi_temp_path $WORK/nginx/fastcgi;
    uwsgi_temp_path $WORK/nginx/uwsgi;
    scgi_temp_path $WORK/nginx/scgi;
    proxy_buffering off;
CONF
        cat
        echo '}'
    } >"$WORK/nginx/nginx.conf"
    : >"$WORK/nginx.log"
    nginx -p "$WORK/nginx" -c "$WORK/nginx/nginx.conf" >"$WORK/nginx/out" 2>&1 &
    server_pid+=" $!"
    nginx_pid=$!
    local i
    for i in $(seq 100); do
        [ ! -s "$WORK/nginx/pid" ] || return 0
        kill -0 "$nginx_pid" 2>/dev/null || break
        sleep 0.1
    done
    cat "$WORK/nginx/out" "$WORK/nginx/error.log" >&2
    fail 'nginx does not start'
}

# How many requests so far match a pattern.
asked_of_nginx() {
    grep -cE -- "$1" "$WORK/nginx.log" || true
}

forget_requests() {
    : >"$WORK/nginx.log"
}
