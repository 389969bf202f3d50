import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * The independent judge of what is in a topic: reads it from its beginning to its end with Kafka's own consumer and
 * read_committed, and prints its messages or how many there are, of each topic or of each topic's source files.
 *
 * The end is the high watermark at the time of the request. While a transaction is open below it, the last stable
 * offset hides what comes behind, so the reader waits until it has passed the end, and fails when the deadline comes
 * first. Whatever goes wrong is an error and never a smaller number: "no messages" is only ever said of a topic that
 * was read from end to end.
 *
 * <pre>
 * CommittedReader [--count | --count-by-source-file] [--deadline-ms N] --bootstrap-server HOST:PORT[,...] TOPIC...
 * CommittedReader --serve     reads requests from stdin until it ends
 * </pre>
 *
 * Prints a JSON object per message, or with --count one per topic, or one per topic and _source_file (null for messages
 * without). A request of --serve is a line of fields separated by tabs: read, count or count-by-source-file, bootstrap
 * servers, deadline in ms, topics. Its answer ends with {"done":true,"lines":N}, or
 * with {"error":"..."} instead, which makes void what came before.
 */
public final class CommittedReader {
    private static final Duration NEW_TOPIC_GRACE = Duration.ofSeconds(2);

    private static final long ANSWER_GRACE_MS = 500;

    /** A quote within a JSON string is escaped, so these bytes are nowhere but at the field. */
    private static final byte[] SOURCE_FILE_FIELD = "\"_source_file\":\"".getBytes(StandardCharsets.UTF_8);

    private enum Wanted { MESSAGES, COUNTS, COUNTS_BY_SOURCE_FILE }

    private record Request(Wanted wanted, String bootstrapServers, long deadlineMs, List<String> topics) {}

    private final Request request;
    private final long deadlineNanos;
    private final PrintStream out;
    private final Map<String, Map<String, Long>> sourceFileCounts = new TreeMap<>();
    private long lines;

    private CommittedReader(Request request, PrintStream out) {
        this.request = request;
        this.deadlineNanos = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(request.deadlineMs());
        this.out = out;
    }

    public static void main(String[] args) throws IOException {
        PrintStream out = new PrintStream(new java.io.BufferedOutputStream(System.out, 1 << 16), false, StandardCharsets.UTF_8);
        if (List.of(args).equals(List.of("--serve"))) {
            serve(out);
            return;
        }
        try {
            new CommittedReader(parse(args), out).run();
            out.flush();
            if (out.checkError()) throw new IOException("stdout was closed");
        } catch (Exception | Error e) {
            out.flush();
            System.err.println("CommittedReader: " + describe(e));
            // halt and not exit: the clients' threads may still wait for a broker that is gone
            Runtime.getRuntime().halt(1);
        }
    }

    private static void serve(PrintStream out) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            try {
                CommittedReader reader = new CommittedReader(parseLine(line), out);
                reader.run();
                out.println("{\"done\":true,\"lines\":" + reader.lines + "}");
            } catch (Exception | Error e) {
                out.println("{\"error\":" + json(describe(e)) + "}");
            }
            out.flush();
        }
        Runtime.getRuntime().halt(0);
    }

    private void run() throws Exception {
        Map<TopicPartition, Long> ends;
        Map<TopicPartition, Long> starts;
        Admin admin = Admin.create(Map.of("bootstrap.servers", request.bootstrapServers()));
        try {
            Collection<TopicPartition> partitions = partitionsOf(admin);
            ends = offsets(admin, partitions, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED);
            waitUntilDecided(admin, ends);
            starts = offsets(admin, partitions, OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED);
        } finally {
            admin.close(Duration.ZERO);
        }
        Map<String, Long> counts = readAll(starts, ends);
        switch (request.wanted()) {
            case MESSAGES -> {}
            case COUNTS -> counts.forEach((topic, count) -> print("{\"topic\":" + json(topic) + ",\"count\":" + count + "}"));
            case COUNTS_BY_SOURCE_FILE -> sourceFileCounts.forEach((topic, files) -> files.forEach((file, count) ->
                print("{\"topic\":" + json(topic) + ",\"sourceFile\":" + json(file) + ",\"count\":" + count + "}")));
        }
    }

    private List<TopicPartition> partitionsOf(Admin admin) throws Exception {
        long graceEnds = System.nanoTime() + NEW_TOPIC_GRACE.toNanos();
        while (true) {
            try {
                Collection<TopicDescription> topics =
                    await(admin.describeTopics(request.topics()).allTopicNames()).values();
                return topics.stream()
                    .flatMap(topic -> topic.partitions().stream().map(p -> new TopicPartition(topic.name(), p.partition())))
                    .toList();
            } catch (UnknownTopicOrPartitionException e) {
                // not every broker knows a topic that was created a moment ago
                if (System.nanoTime() > graceEnds || remainingMs() == 0) throw e;
                Thread.sleep(Math.min(20, remainingMs()));
            }
        }
    }

    private Map<TopicPartition, Long> offsets(
            Admin admin, Collection<TopicPartition> partitions, OffsetSpec spec, IsolationLevel isolation) throws Exception {
        Map<TopicPartition, OffsetSpec> specs = partitions.stream().collect(Collectors.toMap(p -> p, p -> spec));
        Map<TopicPartition, Long> offsets = new HashMap<>();
        await(admin.listOffsets(specs, new ListOffsetsOptions(isolation)).all()).forEach((p, o) -> offsets.put(p, o.offset()));
        return offsets;
    }

    /** Waits until every transaction that has written below the ends is committed or aborted. */
    private void waitUntilDecided(Admin admin, Map<TopicPartition, Long> ends) throws Exception {
        List<String> open = List.of();
        while (open.isEmpty() || remainingMs() > 0) {
            Map<TopicPartition, Long> stable =
                offsets(admin, ends.keySet(), OffsetSpec.latest(), IsolationLevel.READ_COMMITTED);
            open = ends.keySet().stream()
                .filter(p -> stable.get(p) < ends.get(p))
                .map(p -> p + " (stable up to " + stable.get(p) + " of " + ends.get(p) + ")")
                .sorted()
                .toList();
            if (open.isEmpty()) return;
            // the last look must not run into the deadline itself and hide what it is about
            Thread.sleep(Math.min(20, remainingMs()));
        }
        throw new TimeoutException("transactions stay open in " + open);
    }

    private Map<String, Long> readAll(Map<TopicPartition, Long> starts, Map<TopicPartition, Long> ends) throws Exception {
        Map<String, Long> counts = new TreeMap<>();
        request.topics().forEach(topic -> counts.put(topic, 0L));
        Map<String, Object> config = Map.of(
            "bootstrap.servers", request.bootstrapServers(),
            "isolation.level", "read_committed",
            "enable.auto.commit", false,
            // a position outside the log is an error and no reason to begin somewhere else
            "auto.offset.reset", "none",
            "max.poll.records", 10_000,
            "fetch.max.wait.ms", 100);
        KafkaConsumer<byte[], byte[]> consumer =
            new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        try {
            consumer.assign(ends.keySet());
            starts.forEach(consumer::seek);
            while (true) {
                // the position also moves over markers and aborted batches, which end most partitions
                List<TopicPartition> unfinished = new ArrayList<>();
                for (TopicPartition p : ends.keySet()) if (consumer.position(p) < ends.get(p)) unfinished.add(p);
                if (unfinished.isEmpty()) return counts;
                if (remainingMs() == 0) throw new TimeoutException("the deadline came before the end of " + unfinished);
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(Math.min(remainingMs(), 100)))) {
                    if (record.offset() >= ends.get(new TopicPartition(record.topic(), record.partition()))) continue;
                    counts.merge(record.topic(), 1L, Long::sum);
                    if (request.wanted() == Wanted.MESSAGES) print(json(record));
                    if (request.wanted() == Wanted.COUNTS_BY_SOURCE_FILE) {
                        sourceFileCounts.computeIfAbsent(record.topic(), topic -> new HashMap<>())
                            .merge(sourceFile(record.value()), 1L, Long::sum);
                    }
                }
            }
        } finally {
            consumer.close(CloseOptions.timeout(Duration.ZERO));
        }
    }

    private <T> T await(org.apache.kafka.common.KafkaFuture<T> future) throws Exception {
        try {
            return future.get(Math.max(ANSWER_GRACE_MS, remainingMs()), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception cause ? cause : e;
        } catch (TimeoutException e) {
            throw new TimeoutException("no answer from " + request.bootstrapServers() + " within " + request.deadlineMs() + " ms");
        }
    }

    private long remainingMs() {
        return Math.max(0, TimeUnit.NANOSECONDS.toMillis(deadlineNanos - System.nanoTime()));
    }

    private void print(String line) {
        out.print(line);
        out.print('\n');
        lines += 1;
    }

    private static String json(ConsumerRecord<byte[], byte[]> record) throws CharacterCodingException {
        return "{\"topic\":" + json(record.topic()) + ",\"partition\":" + record.partition() + ",\"offset\":" + record.offset()
            + ",\"timestamp\":" + record.timestamp() + ",\"key\":" + json(text(record.key()))
            + ",\"value\":" + json(text(record.value())) + "}";
    }

    /** Bytes that are no UTF-8 are an error: a replacement character would make different messages look the same. */
    private static String text(byte[] bytes) throws CharacterCodingException {
        return bytes == null ? null : StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    }

    /** The value of the field in a message of the ingester's, or null where there is none. */
    private static String sourceFile(byte[] value) throws CharacterCodingException {
        int start = value == null ? -1 : indexOf(value, SOURCE_FILE_FIELD);
        if (start < 0) return null;
        start += SOURCE_FILE_FIELD.length;
        int end = start;
        while (end < value.length && value[end] != '"' && value[end] != '\\') end++;
        if (end == value.length || value[end] != '"') {
            throw new IllegalArgumentException("a _source_file that is cut off or has escapes");
        }
        return text(Arrays.copyOfRange(value, start, end));
    }

    private static int indexOf(byte[] bytes, byte[] wanted) {
        for (int i = 0; i + wanted.length <= bytes.length; i++) {
            if (Arrays.equals(bytes, i, i + wanted.length, wanted, 0, wanted.length)) return i;
        }
        return -1;
    }

    private static String json(String text) {
        if (text == null) return "null";
        StringBuilder escaped = new StringBuilder(text.length() + 16).append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') escaped.append('\\').append(c);
            // line separators beside \n too, so that no reader of lines cuts a message in two
            else if (c < 0x20 || c == 0x7f || c == 0x85 || c == 0x2028 || c == 0x2029) escaped.append(String.format("\\u%04x", (int) c));
            else escaped.append(c);
        }
        return escaped.append('"').toString();
    }

    private static String describe(Throwable e) {
        return e.getClass().getSimpleName() + ": " + e.getMessage();
    }

    private static Request parseLine(String line) {
        List<String> fields = Arrays.asList(line.split("\t"));
        if (fields.size() < 4) throw new IllegalArgumentException("a request has at least four fields");
        Wanted wanted = switch (fields.get(0)) {
            case "read" -> Wanted.MESSAGES;
            case "count" -> Wanted.COUNTS;
            case "count-by-source-file" -> Wanted.COUNTS_BY_SOURCE_FILE;
            default -> throw new IllegalArgumentException("a request begins with read, count or count-by-source-file");
        };
        return new Request(wanted, fields.get(1), Long.parseLong(fields.get(2)), fields.subList(3, fields.size()));
    }

    private static Request parse(String[] args) {
        Wanted wanted = Wanted.MESSAGES;
        long deadlineMs = 60_000;
        String bootstrapServers = null;
        List<String> topics = new ArrayList<>();
        for (int i = 0; i < args.length; i++) {
            switch (args[i]) {
                case "--count" -> wanted = Wanted.COUNTS;
                case "--count-by-source-file" -> wanted = Wanted.COUNTS_BY_SOURCE_FILE;
                case "--deadline-ms" -> deadlineMs = Long.parseLong(args[++i]);
                case "--bootstrap-server" -> bootstrapServers = args[++i];
                default -> topics.add(args[i]);
            }
        }
        if (bootstrapServers == null || topics.isEmpty()) {
            throw new IllegalArgumentException("usage: [--count | --count-by-source-file] [--deadline-ms N] --bootstrap-server HOST:PORT[,...] TOPIC...");
        }
        return new Request(wanted, bootstrapServers, deadlineMs, topics);
    }
}
