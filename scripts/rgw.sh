#!/bin/bash
# A throw-away Ceph RADOS Gateway, a real S3 server of somebody else's make, on loopback: 1 mon, 1 osd in memory, 1 radosgw.
#
#   RGW_DIR=/tmp/x RGW_PORT=7480 scripts/rgw.sh      prints "ready" and runs until its standard input ends (Ctrl-D)
#
# RGW_DIR must not exist; it is deleted at the end. Ports from RGW_PORT to RGW_PORT+19 must be free. Objects live in
# memory, up to RGW_BYTES (default 6 GiB). Needs the Debian packages ceph-mon, ceph-osd and radosgw; leaves nothing behind.
# Exits with 3 when a program is missing.
set -euo pipefail

: "${RGW_DIR:?} ${RGW_PORT:?}"
RGW_BYTES=${RGW_BYTES:-6442450944}
# The gateway alone listens there; its daemons stay on loopback.
RGW_HOST=${RGW_HOST:-127.0.0.1}
RGW_PART_SIZE_MIN=${RGW_PART_SIZE_MIN:-5242880}
RGW_ACCESS_KEY=${RGW_ACCESS_KEY:-test}
RGW_SECRET_KEY=${RGW_SECRET_KEY:-testsecret}
CONF=$RGW_DIR/ceph.conf
LOG=$RGW_DIR/log
FSID=5e5e5e5e-0000-4000-8000-000000000001
OSD_UUID=5e5e5e5e-0000-4000-8000-000000000002
MON_PORT=$((RGW_PORT + 1))
PIDS=()

for program in monmaptool ceph ceph-mon ceph-osd radosgw radosgw-admin; do
  command -v "$program" >/dev/null || { echo "rgw.sh: $program is missing" >&2; exit 3; }
done

write_conf() {
  cat >"$CONF" <<CONF
[global]
fsid = $FSID
mon_host = [v2:127.0.0.1:$MON_PORT]
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr1 = false
ms_bind_port_min = $((RGW_PORT + 2))
ms_bind_port_max = $((RGW_PORT + 19))
# No cephx: nothing but loopback can reach it. Radosgw would insist on an encrypted connection, which needs cephx.
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
ms_mon_cluster_mode = crc
ms_mon_service_mode = crc
run_dir = $RGW_DIR/run
admin_socket = $RGW_DIR/run/\$name.asok
pid_file =
log_file = $LOG/\$name.log
log_to_syslog = false
log_to_stderr = false
mon_cluster_log_file = $LOG/cluster.log
mon_cluster_log_to_syslog = false
crash_dir = $RGW_DIR/crash
debug_default = 0/0
debug_ms = 0/0
debug_mon = 0/0
debug_paxos = 0/0
debug_osd = 0/0
debug_monc = 0/0
debug_mgrc = 0/0
debug_objecter = 0/0
debug_rocksdb = 0/0
debug_rgw = 1/1
ms_crc_data = false
# One copy, one OSD, few placement groups.
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_max_pg_per_osd = 1000
# A host disk that is nearly full is no reason to give up.
mon_data_avail_warn = 2
mon_data_avail_crit = 1
mon_osd_full_ratio = .96
mon_osd_backfillfull_ratio = .95
mon_osd_nearfull_ratio = .94

[mon]
mon_data = $RGW_DIR/mon
mon_cluster_log_level = warn
# Without these two the pools take 10 s to make.
paxos_propose_interval = 0.01
paxos_min_wait = 0.01
mon_tick_interval = 1

[osd]
osd_data = $RGW_DIR/osd
osd_objectstore = memstore
memstore_device_bytes = $RGW_BYTES
osd_failsafe_full_ratio = .97
osd_op_num_shards = 2
osd_op_num_threads_per_shard = 2

[client.rgw]
rgw_data = $RGW_DIR/rgwdata
rgw_frontends = beast endpoint=$RGW_HOST:$RGW_PORT tcp_nodelay=1
rgw_multipart_min_part_size = $RGW_PART_SIZE_MIN
rgw_thread_pool_size = 32
rgw_num_rados_handles = 1
rgw_run_sync_thread = false
rgw_enable_quota_threads = false
rgw_enable_usage_log = false
rgw_enable_ops_log = false
rgw_dynamic_resharding = false
rgw_override_bucket_index_max_shards = 1
# Deleted data is given back at once: the default waits two hours, and this is memory.
rgw_gc_obj_min_wait = 2
rgw_gc_processor_period = 2
rgw_gc_processor_max_time = 30
CONF
}

# Runs a daemon as a child that dies with this script, however that ends.
daemon() {
  setpriv --pdeathsig KILL "$@" -f -c "$CONF" </dev/null >>"$LOG/daemons.log" 2>&1 &
  PIDS+=($!)
}

wait_for_port() {
  local i
  for i in $(seq 600); do
    (exec 3<>"/dev/tcp/${2:-127.0.0.1}/$1") 2>/dev/null && return 0
    kill -0 "${PIDS[-1]}" 2>/dev/null || break
    sleep 0.1
  done
  echo "rgw.sh: nothing listens on port $1" >&2
  tail -n 20 "$LOG"/*.log >&2
  exit 1
}

wipe() {
  trap - EXIT
  if [ ${#PIDS[@]} -gt 0 ]; then
    kill -KILL "${PIDS[@]}" 2>/dev/null || true
    wait "${PIDS[@]}" 2>/dev/null || true
  fi
  rm -rf -- "$RGW_DIR"
}

mkdir "$RGW_DIR"
trap wipe EXIT
trap 'exit 1' INT TERM HUP
mkdir "$LOG" "$RGW_DIR"/{run,mon,osd,rgwdata}
write_conf
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true

monmaptool --create --clobber --fsid "$FSID" --addv a "[v2:127.0.0.1:$MON_PORT]" "$RGW_DIR/monmap" >"$LOG/make.log" 2>&1
ceph-mon -c "$CONF" --mkfs -i a --monmap "$RGW_DIR/monmap" >>"$LOG/make.log" 2>&1
daemon ceph-mon -i a
wait_for_port "$MON_PORT"
ceph -c "$CONF" osd new "$OSD_UUID" 0 >>"$LOG/make.log" 2>&1 </dev/null
ceph-osd -c "$CONF" -i 0 --mkfs --osd-uuid "$OSD_UUID" >>"$LOG/make.log" 2>&1
daemon ceph-osd -i 0
radosgw-admin -c "$CONF" -n client.rgw user create --uid=test --display-name=test --max-buckets=0 \
  --access-key="$RGW_ACCESS_KEY" --secret-key="$RGW_SECRET_KEY" >>"$LOG/make.log" 2>&1 </dev/null
daemon radosgw -n client.rgw
wait_for_port "$RGW_PORT" "$RGW_HOST"
echo ready
# In the background, so that a signal is noticed at once; given its input by name, since a background command gets none.
exec 4<&0
cat <&4 >/dev/null &
wait $! || true
