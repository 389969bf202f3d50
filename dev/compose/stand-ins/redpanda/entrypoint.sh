#!/bin/bash
# `redpanda start --seeds=... --kafka-addr=... --advertise-kafka-addr=... --advertise-rpc-addr=...` on Apache Kafka: every
# seed is broker and controller, node ids in the order of the seeds. Other options are ignored.
set -euo pipefail
for option in "$@"; do
  case $option in
    --seeds=*) seeds=${option#*=} ;;
    --kafka-addr=*) listeners=${option#*=} ;;
    --advertise-kafka-addr=*) advertised=${option#*=} ;;
    --advertise-rpc-addr=*) self=${option#*=} ;;
  esac
done
IFS=, read -ra all <<<"$seeds"
voters='' id=0
for i in "${!all[@]}"; do
  voters+="${voters:+,}$((i + 1))@${all[i]%:*}:9093"
  if [ "${all[i]}" = "$self" ]; then id=$((i + 1)); fi
done
replicas=${#all[@]}
in_sync=$((replicas >= 3 ? 2 : 1))
data=/var/lib/redpanda/data/kafka
cat >/tmp/server.properties <<P
process.roles=broker,controller
node.id=$id
controller.quorum.voters=$voters
listeners=$listeners,CONTROLLER://0.0.0.0:9093
advertised.listeners=$advertised
listener.security.protocol.map=internal:PLAINTEXT,external:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=internal
controller.listener.names=CONTROLLER
log.dirs=$data
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=$replicas
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$in_sync
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$in_sync
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=8388608
P
java=(java -Xmx384m -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp '/opt/kafka/*')
[ -e "$data/meta.properties" ] ||
  "${java[@]}" -XX:TieredStopAtLevel=1 kafka.tools.StorageTool format -t Y2RyLXRyaWFsLWNsdXN0ZQ -c /tmp/server.properties
exec "${java[@]}" kafka.Kafka /tmp/server.properties
