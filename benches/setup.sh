# What `run` and `count` share: building, the server, and the cores they run on. It is sourced.

benches=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${benches%/*}/target/benches}"
release=$CARGO_TARGET_DIR/release
built=$CARGO_TARGET_DIR/benches
# A proxy of the environment would answer for the server.
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY

scratch=$(mktemp -d)
server=
stop() {
    # The server ends with its standard input.
    [ -z "$server" ] || { exec {hold}>&- && wait "$server" || true; }
    rm -rf "$scratch"
}
trap stop EXIT

# Ten thousand connections are as many descriptors, at either end.
ulimit -Sn "$(ulimit -Hn)"
affordable() { # workload
    [[ $1 != *-10000 ]] || [ "$(ulimit -n)" = unlimited ] || [ "$(ulimit -n)" -ge 10100 ] || {
        echo "$1 takes more open files than the $(ulimit -n) that are allowed: left out" >&2
        return 1
    }
}

# A workload has one yardstick; the other takes no part.
takes_part() { # client yardstick
    [[ $1 != floor* || $1 == "$2" ]]
}

cargo_build() {
    cargo build --quiet --release --locked --manifest-path "$benches/$1/Cargo.toml" "${@:2}"
}

# A new file, since the old one may be running.
place_binary() {
    cp --remove-destination "$release/$1" "$built/$2"
}

# Each package by itself, so that no features are shared; if `counted`, with the counting allocator as well.
build() {
    mkdir -p "$built"
    local client package binary
    cargo_build server
    cargo_build common
    for binary in bench-server table compare; do place_binary "$binary" "$binary"; done
    for client in "$@"; do
        package=$client binary=bench-$client
        [ "$client" != floorpool ] || package=floor binary=floorpool
        if $counted; then
            cargo_build "$package" --bin "$binary" --features count
            place_binary "$binary" "$client-counted"
        fi
        cargo_build "$package" --bin "$binary"
        place_binary "$binary" "$client"
    done
}

start_server() {
    mkfifo "$scratch/hold"
    "$built/bench-server" "$scratch" <"$scratch/hold" >"$scratch/line" &
    server=$!
    exec {hold}>"$scratch/hold"
    for _ in $(seq 100); do
        [ ! -s "$scratch/line" ] || break
        sleep 0.05
    done
    BENCH_SERVER=$(cat "$scratch/line")
    export BENCH_SERVER
    [ -n "$BENCH_SERVER" ] || { echo "the server did not start" >&2; exit 1; }
}

# The cores this shell may use, and the first two of them.
allowed=$(taskset -cp $$ | sed 's/.*: //')
mapfile -t cores < <(tr , '\n' <<<"$allowed" | while IFS=- read -r from to; do seq "$from" "${to:-$from}"; done)

# Puts the server on its core and leaves in `place` where the client goes. Fails where there is no second core.
arrange() {
    local on
    case $1 in
    same) on=${cores[0]} place=${cores[0]} ;;
    apart)
        [ ${#cores[@]} -gt 1 ] || { echo "there is one core: nothing is measured on a core each" >&2; return 1; }
        on=${cores[0]} place=${cores[1]}
        ;;
    *) on=$allowed place=$allowed ;;
    esac
    # A thread that ends meanwhile cannot be moved, and need not be.
    taskset -acp "$on" "$server" >/dev/null 2>&1 || true
}
