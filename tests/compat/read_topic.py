"""Reads a topic from its beginning to its end with one of Python's clients, as an application would, and prints how many
of its records were committed, aborted, or something else (a value that is no JSON object with an outcome).

    read_topic.py kafka_python|confluent_kafka BROKERS TOPIC default|read_committed|read_uncommitted
"""

import json
import sys
import time
import uuid

IDLE_SECONDS = 15


def outcome_of(value):
    try:
        outcome = json.loads(value).get("outcome")
    except (ValueError, TypeError, AttributeError):
        return "other"
    return outcome if outcome in ("committed", "aborted") else "other"


def by_kafka_python(brokers, topic, isolation):
    from kafka import KafkaConsumer, TopicPartition

    options = {} if isolation == "default" else {"isolation_level": isolation}
    consumer = KafkaConsumer(
        bootstrap_servers=brokers.split(","),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **options,
    )
    partitions = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(partitions)
    ends = consumer.end_offsets(partitions)
    seen = time.monotonic()
    while time.monotonic() - seen < IDLE_SECONDS:
        for records in consumer.poll(timeout_ms=500).values():
            seen = time.monotonic()
            for record in records:
                yield record.value
        if all(consumer.position(partition) >= ends[partition] for partition in partitions):
            return


def by_confluent_kafka(brokers, topic, isolation):
    from confluent_kafka import Consumer, KafkaError

    options = {} if isolation == "default" else {"isolation.level": isolation}
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": str(uuid.uuid4()),
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            **options,
        }
    )
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.subscribe([topic])
    ended = set()
    while len(ended) < len(partitions):
        message = consumer.poll(60)
        if message is None:
            raise TimeoutError("nothing for a minute")
        if message.error() is None:
            yield message.value()
        elif message.error().code() == KafkaError._PARTITION_EOF:
            ended.add(message.partition())
        else:
            raise RuntimeError(message.error())
    consumer.close()


def main():
    client, brokers, topic, isolation = sys.argv[1:]
    read = {"kafka_python": by_kafka_python, "confluent_kafka": by_confluent_kafka}[client]
    seen = {"committed": 0, "aborted": 0, "other": 0}
    for value in read(brokers, topic, isolation):
        seen[outcome_of(value)] += 1
    if sum(seen.values()) == 0:
        raise RuntimeError("it handed nothing to the application")
    print(json.dumps(seen))


main()
