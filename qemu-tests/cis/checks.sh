# What each kind of check does, in bash on the node. Calls follow that are made from the tables: `control NUMBER`, its checks, `finish`.
# A control prints one line: NUMBER PASS, or NUMBER FAIL and what was seen.
# No tab and no character beyond ASCII: this goes through a terminal.

root=${CIS_ROOT-} # for tests
export KUBECONFIG=/etc/kubernetes/admin.conf HOME=/run
number= faults= configz=

# Processes by the name in their command line, where scanners look too.
declare -A pids
for folder in "$root"/proc/[0-9]*; do
    # One that ends meanwhile is no finding.
    if { IFS= read -r -d '' name <"$folder/cmdline"; } 2>/dev/null; then
        name=${name##*/}
        pids[$name]=${pids[$name]-${folder##*/}}
    fi
done

control() {
    finish
    number=$1
}

finish() {
    if [ -n "$number" ] && [ -z "$faults" ]; then
        echo "$number PASS"
    elif [ -n "$number" ]; then
        echo "$number FAIL ${faults#; }"
    fi
    number= faults=
}

fault() {
    local text=${*//[[:cntrl:]]/ }
    faults+="; ${text:0:200}"
}

# Sets `value` to what a process was given for a flag, as --flag=value or --flag value. A flag alone is true, of several values a list.
given() {
    local word words waits= all=
    value=
    if [ -z "${pids[$1]-}" ]; then
        fault "$1 does not run"
        return 1
    fi
    if ! { mapfile -d '' -t words <"$root/proc/${pids[$1]}/cmdline"; } 2>/dev/null; then
        fault "$1 ended"
        return 1
    fi
    for word in "${words[@]}"; do
        if [ -n "$waits" ]; then
            waits=
            case $word in
                -*) all+=,true ;;
                *) all+=,$word && continue ;;
            esac
        fi
        case $word in
            "$2="*) all+=,${word#*=} ;;
            "$2") waits=1 ;;
        esac
    done
    value=${all#,}${waits:+true}
}

flag-absent() {
    given "$1" "$2" || return
    [ -z "$value" ] || fault "$1 has $2 $value"
}

flag-is() {
    given "$1" "$2" || return
    [ "$value" = "$3" ] || fault "$1 has $2 ${value:-unset}"
}

flag-has() {
    given "$1" "$2" || return
    case ,$value, in
        *",$3,"*) ;;
        *) fault "$1 has $2 ${value:-unset}" ;;
    esac
}

flag-lacks() {
    given "$1" "$2" || return
    case ,$value, in
        *",$3,"*) fault "$1 has $2 $value" ;;
    esac
}

flag-at-least() {
    given "$1" "$2" || return
    [ "$value" -ge "$3" ] 2>/dev/null || fault "$1 has $2 ${value:-unset}"
}

flag-file() {
    given "$1" "$2" || return
    if [ -s "$root$value" ] && [ -f "$root$value" ]; then
        file "$value" "$3" "$4"
    else
        fault "$1 has $2 ${value:-unset}, no file with content"
    fi
}

# Of a link, its own mode, as scanners see it: one that stands where a scanner looks fails.
file() {
    local seen mode
    if ! seen=$(stat -c '%a %U:%G' "$root$1" 2>/dev/null); then
        fault "$1 is not there"
        return
    fi
    mode=${seen%% *}
    [ $((8#$mode & ~8#$2)) = 0 ] && [ "${seen#* }" = "$3" ] || fault "$1 is $seen"
}

tree() {
    local seen
    seen=$(find "$root$1/" -printf '%u:%g %p\n' 2>/dev/null)
    [ -n "$seen" ] || fault "$1 is not there"
    seen=$(grep -v "^$2 " <<<"$seen") && [ -n "$seen" ] && fault "$seen"
}

unit() {
    local path paths
    paths=$(systemctl show --value --property=FragmentPath --property=DropInPaths "$1" 2>&1)
    [ -n "$paths" ] || fault "$1 is no unit"
    for path in $paths; do
        file "$path" "$2" "$3"
    done
}

working-folder() {
    local folder
    if [ -z "${pids[$1]-}" ]; then
        fault "$1 does not run"
        return
    fi
    folder=$(readlink "$root/proc/${pids[$1]}/cwd")
    file "$folder" "$2" "$3"
}

kubelet-has() {
    if [ -z "$configz" ]; then
        given kubelet --hostname-override || return
        configz=$(kubectl get --raw "/api/v1/nodes/${value:-$(hostname)}/proxy/configz" 2>&1)
    fi
    case $configz in
        *"$1"*) ;;
        *'"kubeletconfig"'*) fault "the kubelet's configuration has no $1" ;;
        *) fault "the kubelet gave no configuration: $configz" ;;
    esac
}

answers() {
    local code
    code=$(curl -sk -m 30 -o /dev/null -w '%{http_code}' "$2")
    [ "$code" = "$1" ] || fault "$2 answers $code"
}

# The client must be able to, or it would be the one that refuses.
tls-refused() {
    local said
    said=$(OPENSSL_CONF=/dev/null curl -skv -m 30 --tlsv1.0 --tls-max "$1" --ciphers DEFAULT@SECLEVEL=0 "$2" 2>&1)
    case $said in
        *'alert protocol version'*) ;;
        *) fault "$2 does not refuse TLS $1: $(tail -n 2 <<<"$said")" ;;
    esac
}

listeners() {
    local hex
    printf -v hex '%04X' "$1"
    cat "$root/proc/net/tcp" "$root/proc/net/tcp6" 2>/dev/null |
        sed -n "s/^ *[0-9]*: \([0-9A-F]*\):$hex [0-9A-F]*:0000 0A .*/\1/p"
}

port-on-loopback() {
    local seen address
    seen=$(listeners "$1")
    [ -n "$seen" ] || fault "nobody listens on port $1"
    for address in $seen; do
        case $address in
            0100007F | 00000000000000000000000001000000) ;;
            *) fault "port $1 is open on $address" ;;
        esac
    done
}

port-closed() {
    local seen
    seen=$(listeners "$1")
    [ -z "$seen" ] || fault "port $1 is open on $seen"
}

# The administrator asks: others are refused before it is looked up.
not-served() {
    local said
    said=$(kubectl --server="$1" get --raw "$2" 2>&1)
    case $said in
        *NotFound*) ;;
        *) fault "$1$2 gives $said" ;;
    esac
}

nobody-may() {
    local said
    said=$(kubectl auth can-i "$1" "$2" --all-namespaces --as=nobody --as-group=system:authenticated 2>/dev/null)
    case $said in
        no | 'no - '*) ;;
        *) fault "may somebody $1 $2: ${said:-no answer}" ;;
    esac
}

every-line() {
    local pattern=$1 seen
    shift
    if ! seen=$(kubectl "$@" 2>&1) || [ -z "$seen" ]; then
        fault "no answer: $seen"
        return
    fi
    seen=$(grep -vE "$pattern" <<<"$seen") && fault "$seen"
}

no-line() {
    local pattern=$1 seen
    shift
    if ! seen=$(kubectl "$@" 2>&1); then
        fault "no answer: $seen"
        return
    fi
    seen=$(grep -E "$pattern" <<<"$seen") && fault "$seen"
}
