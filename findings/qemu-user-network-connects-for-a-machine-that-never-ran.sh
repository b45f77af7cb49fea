#!/usr/bin/env bash
# QEMU's user network completes TCP handshakes for a machine that has not executed one instruction.
#
# Seen with Debian 12's qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 and libslirp0 4.7.0-1.
#
# A port that `hostfwd` forwards is an ordinary listening socket of the QEMU process. QEMU accepts first and only then
# sends a SYN into the machine. So with a machine that is held before its first instruction (`-S`), a client connects
# at once, its request is acknowledged, and neither a reset nor an end of the stream follows: a TCP health check of a
# balancer finds a stopped or crashed machine healthy for as long as the process lives. Only an answer of the
# application says that it serves. The socket's backlog is 1 and cannot be configured: while QEMU's main loop is busy, the
# host drops further SYNs, and those clients wait a second for their retransmission. Expected: a handshake that
# depends on the guest's, and the system's usual backlog.
#
#     backlog 1
#     12 of 12 clients connected
#     12 of 12 requests taken, 0 answered, 0 refused
#
# Runs without Luge; wants apt-get of Debian 12, python3 and ss. Ends with 0 if QEMU still behaves like this.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
packages=(qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3 qemu-system-common=1:7.2+dfsg-7+deb12u18+b3
    qemu-system-data=1:7.2+dfsg-7+deb12u18 seabios=1.16.2-1 libslirp0=4.7.0-1)
# With them the libraries that are not installed.
wanted=$(apt-get -s -o Dir::State::status=/dev/null install --no-install-recommends "${packages[@]}" |
    awk '$1 == "Inst" { print $2 "=" substr($3, 2) }' |
    while read -r package; do
        dpkg-query -W "${package%%=*}" >/dev/null 2>&1 &&
            [[ $package != qemu-* && $package != seabios* && $package != libslirp* ]] || echo "$package"
    done)
# shellcheck disable=SC2086 # A word for each package.
apt-get -q download $wanted >log 2>&1 || { cat log && exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root; done

cat >probe.py <<'END_OF_PROBE'
import select, socket, subprocess, sys

root = sys.argv[1]
free = socket.create_server(("127.0.0.1", 0))
port = free.getsockname()[1]
free.close()
machine = subprocess.Popen(
    [root + "/usr/bin/qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg",
     "-L", root + "/usr/share/qemu", "-L", root + "/usr/share/seabios", "-M", "pc", "-m", "64M", "-S", "-monitor", "stdio",
     "-netdev", "user,id=net,hostfwd=tcp:127.0.0.1:%d-:80" % port, "-device", "virtio-net-pci,netdev=net,romfile="],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
machine.stdout.readline()
listening = subprocess.run(["ss", "-Hltn", "sport = :%d" % port], capture_output=True, text=True).stdout.split()
print("backlog", listening[2])
clients = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(12)]
print(len(clients), "of 12 clients connected")
for client in clients:
    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
# Whoever was answered or refused could be read from.
readable, _, _ = select.select(clients, [], [], 20)
heard = []
for client in readable:
    try:
        heard.append(len(client.recv(1)))
    except ConnectionError:
        heard.append(0)
print(len(clients), "of 12 requests taken,", heard.count(1), "answered,", heard.count(0), "refused")
machine.communicate("quit\n")
END_OF_PROBE
export LD_LIBRARY_PATH=$PWD/root/usr/lib/x86_64-linux-gnu:$PWD/root/lib/x86_64-linux-gnu
python3 probe.py root | tee seen
diff seen - <<'END_OF_SEEN'
backlog 1
12 of 12 clients connected
12 of 12 requests taken, 0 answered, 0 refused
END_OF_SEEN
