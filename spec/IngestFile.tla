------------------------------ MODULE IngestFile ------------------------------
(* One file on its way into Kafka, as the code does it. What one process does  *)
(* to Kafka or to Redis in one request is one action. Between two actions any  *)
(* process may stop for ever, die, or be overtaken by any other.               *)
(*                                                                             *)
(* A file has parts; each part is one transaction. "Identity" is size and      *)
(* mtime, "content" the bytes: a new number is a new identity or content.      *)
(* Comments name the file of the code that an action stands for.               *)
(* How to run it, and what is left out: README.md beside this file.            *)
EXTENDS Integers, Sequences, FiniteSets, TLC

CONSTANTS
  Workers,    \* slots of workers: packages/queue/src/ingest-slot.ts
  Operators,  \* cdr reingest: packages/ledger/src/change-entry.ts
  Scanners,   \* apps/scanner/src/scan-once.ts
  KeepUps,    \* catch-ups in the background of a worker: packages/ledger/src/keep-up.ts
  Parts,      \* transactions that the file takes before it grows
  MaxGen,     \* generations looked at

  (* The rules of the protocol. The first value of each is what the design   *)
  (* says; the others are mutations. run-table.ts says which runs use which. *)
  IdOf,          \* "file", "generation", "worker": what a transactional id is made of
  Fenced,        \* "before asking", "after asking"
  Locks,         \* TRUE, FALSE: own the job before each fence
  AskRedis,      \* "one command", "two commands": entry and position
  ReadTo,        \* "to the end", "to the stable end", "not at all": what is read of the ledger after the fence
  Meet,          \* TRUE, FALSE: read on up to our own record before the commit
  Epoch0,        \* "means nothing", "means nobody was here": then the tail is not read
  Plan,          \* "generation first", "state first", "other generation is none"
  Compare,       \* TRUE, FALSE: the part ingested before must still be the same
  Check,         \* TRUE, FALSE: the identity must still be the same behind the last byte
  Record,        \* "in the transaction", "before the commit", "after the commit": where the ledger record is written
  Retried,       \* "own", "fence", "go on": what follows the commit of a part that had to be repeated
  Abort,         \* "when all was answered", "always": may an attempt that gives up send an abort
  Verify,        \* TRUE, FALSE: brokers refuse a batch that belongs to no open transaction
  Operator,      \* "asks the ledger", "asks the projection"
  Again,         \* "by generation", "compares entries": an operator's command after a commit of unknown outcome
  CatchUp,       \* "one script", "slices", "unconditional": how entries and position are written
  Position,      \* "stable end", "end": how far a catch-up moves it
  Mending,       \* "read to the position", "whatever was read": what the check of the whole projection goes by
  Put,           \* "higher only", "always": when an entry of the projection is replaced
  ChangedFiles,  \* "alert", "reingest"

  (* How often each fault, and each thing that people do, may happen. *)
  Fences, Crashes, Stalls, Holds, LostAnswers, LateBatches, Intrusions, Forgets,
  Backups, Rollbacks, OthersRecords, Depositions, Mendings, Requests, Touches, Grows, Replaces

VARIABLES
  file,     \* on the SFTP server: identity, content, parts
  tx,       \* per transactional id, at its coordinator: producer id, epoch, state; and its rows not yet decided
  ledger,   \* the ledger's partition; an element's `st` is open, commit or abort
  visible,  \* how often a read_committed consumer sees each row
  redis,    \* the file's job; the projection's entry and position
  backup,   \* an older Redis, at first an empty one: so a wipe is a way of going back
  act,      \* workers and operators
  scan,     \* scanners and catch-ups
  late,     \* requests that were given up and may still arrive
  deposed,  \* the ledger as a deposed leader has it
  left      \* faults left to happen
vars == <<file, tx, ledger, visible, redis, backup, act, scan, late, deposed, left>>

Actors == Workers \union Operators
Readers == Scanners \union KeepUps
Gens == 1..MaxGen
MaxParts == Parts + Grows
Rows == (1..MaxParts) \X Gens \X (1..(1 + Replaces))
NoRows == [r \in Rows |-> 0]
Plus(x, y) == [r \in Rows |-> IF x[r] + y[r] > 2 THEN 2 ELSE x[r] + y[r]]
One(row) == [r \in Rows |-> IF r = row THEN 1 ELSE 0]

(* A ledger record: packages/core/src/ledger-record.ts. Parts 1..upto of generation gen are ingested, with the hash *)
(* `content`; whole = state "committed", else "partial"; seen = identity under `changed`; want = generation under   *)
(* `requested`; off = its offset. No record has offset 0.                                                           *)
None == [off |-> 0, gen |-> 0, upto |-> 0, whole |-> FALSE, ident |-> 0, content |-> 0, seen |-> 0, want |-> 0]
Newer(x, y) == IF x.off > y.off THEN x ELSE y

NoJob == [st |-> "none", own |-> "nobody", gen |-> 0, ident |-> 0]
NoPosition == -1
Wiped == [job |-> NoJob, entry |-> None, pos |-> NoPosition]

Free == [pc |-> "idle", gen |-> 0, ident |-> 0, pid |-> 0, ep |-> 0, entry |-> None, from |-> 0, readTo |-> 0,
         open |-> {}, kind |-> "none", rec |-> None, retried |-> FALSE, tried |-> None]
ReaderFree == [pc |-> "idle", from |-> 0, to |-> 0, rec |-> None, gen |-> 0, ident |-> 0]

Ids == CASE IdOf = "file" -> {1} [] IdOf = "generation" -> Gens [] IdOf = "worker" -> Actors
Id(a) == CASE IdOf = "file" -> 1 [] IdOf = "generation" -> act[a].gen [] IdOf = "worker" -> a

Init ==
  /\ file = [ident |-> 1, content |-> 1, parts |-> Parts]
  /\ tx = [i \in Ids |-> [pid |-> 1, ep |-> 0, st |-> "unknown", rows |-> NoRows, seen |-> 0]]
  /\ ledger = <<>> /\ deposed = <<>>
  /\ visible = NoRows
  /\ redis = Wiped /\ backup = Wiped
  /\ act = [a \in Actors |-> Free]
  /\ scan = [s \in Readers |-> ReaderFree]
  /\ late = {}
  /\ left = [fence |-> Fences, crash |-> Crashes, stall |-> Stalls, hold |-> Holds, lost |-> LostAnswers,
             batch |-> LateBatches, intrude |-> Intrusions, forget |-> Forgets, backup |-> Backups,
             rollback |-> Rollbacks, other |-> OthersRecords, depose |-> Depositions, mend |-> Mendings, request |-> Requests,
             touch |-> Touches, grow |-> Grows, replace |-> Replaces]

Spend(x) == left[x] > 0 /\ left' = [left EXCEPT ![x] = @ - 1]

-------------------------------------------------------------------------------
(* The ledger's partition. Id 0 is another file's.                             *)
Smallest(S) == CHOOSE x \in S : \A y \in S : x <= y
Largest(S) == CHOOSE x \in S : \A y \in S : y <= x
StableEnd(log) ==
  LET open == {i \in 1..Len(log) : log[i].st = "open"}
  IN IF open = {} THEN Len(log) ELSE Smallest(open) - 1
Ours(log, from, to, st) == {i \in (from + 1)..to : log[i].id # 0 /\ log[i].st = st}
\* The newest committed record of our file behind `from`, up to `to`.
Last(log, from, to) == LET S == Ours(log, from, to, "commit") IN IF S = {} THEN None ELSE log[Largest(S)].rec
Decided(i, st) == [k \in 1..Len(ledger) |->
  IF ledger[k].id = i /\ ledger[k].st = "open" THEN [ledger[k] EXCEPT !.st = st] ELSE ledger[k]]
\* What a Fetch may be answered from: a deposed leader still knows what it knew.
Answers == IF left.depose < Depositions THEN {ledger, deposed} ELSE {ledger}

-------------------------------------------------------------------------------
(* The brokers: the coordinator of the id, and the partitions.                 *)
(* A commit is prepared first; then its markers reach data and ledger in any   *)
(* order: "data marked" has the rows', "ledger marked" the ledger's.           *)
Prepared == {"prepared", "data marked", "ledger marked"}
Current(a) == LET t == tx[Id(a)] IN t.st # "unknown" /\ t.pid = act[a].pid /\ t.ep = act[a].ep
HasOpen(a) == Current(a) /\ tx[Id(a)].st = "open"
\* Abort markers carry the epoch, by which partitions refuse older ones from then on.
Aborted(t, ep) == [t EXCEPT !.st = "ended", !.ep = ep, !.rows = NoRows, !.seen = IF LateBatches > 0 THEN ep ELSE 0]

\* A commit of an older epoch is refused when it arrives; a batch may not be.
StillOf(i) == {m \in late : m.id # i \/ m.kind = "batch"}

MarkData(i) ==
  /\ tx[i].st \in {"prepared", "ledger marked"}
  /\ visible' = Plus(visible, tx[i].rows)
  /\ tx' = [tx EXCEPT ![i].st = IF @ = "prepared" THEN "data marked" ELSE "ended", ![i].rows = NoRows]
  /\ UNCHANGED <<file, ledger, redis, backup, act, scan, late, deposed, left>>
MarkLedger(i) ==
  /\ tx[i].st \in {"prepared", "data marked"}
  /\ ledger' = Decided(i, "commit")
  /\ tx' = [tx EXCEPT ![i].st = IF @ = "prepared" THEN "ledger marked" ELSE "ended"]
  /\ UNCHANGED <<file, visible, redis, backup, act, scan, late, deposed, left>>
\* The brokers' own timeout, or an InitProducerId of somebody who has long given up.
Intrude(i) ==
  /\ tx[i].st \notin Prepared \union {"unknown"} /\ Spend("intrude")
  /\ IF tx[i].st = "open"
     THEN tx' = [tx EXCEPT ![i] = Aborted(@, @.ep + 1)] /\ ledger' = Decided(i, "abort")
     ELSE tx' = [tx EXCEPT ![i].ep = @ + 1] /\ UNCHANGED ledger
  /\ late' = StillOf(i)
  /\ UNCHANGED <<file, visible, redis, backup, act, scan, deposed>>
\* Ids are forgotten by age, and by number on Redpanda: then the next producer id is another and its epoch 0 again.
Forget(i) ==
  /\ tx[i].st \in {"empty", "ended"} /\ Spend("forget")
  /\ tx' = [tx EXCEPT ![i] = [pid |-> @.pid + 1, ep |-> 0, st |-> "unknown", rows |-> NoRows, seen |-> 0]]
  /\ UNCHANGED <<file, ledger, visible, redis, backup, act, scan, late, deposed>>
\* A request that was given up arrives.
Arrive(m) ==
  /\ m \in late /\ late' = late \ {m}
  /\ LET t == tx[m.id] IN
     tx' = IF t.pid # m.pid THEN tx
           ELSE IF m.kind = "commit" THEN (IF t.ep = m.ep /\ t.st = "open" THEN [tx EXCEPT ![m.id].st = "prepared"] ELSE tx)
           \* a batch: the partition knows epochs, and asks the coordinator where brokers verify
           ELSE IF m.ep >= t.seen /\ (Verify => t.st = "open" /\ t.ep = m.ep)
                THEN [tx EXCEPT ![m.id].rows = Plus(@, One(m.row)), ![m.id].seen = m.ep] ELSE tx
  /\ UNCHANGED <<file, ledger, visible, redis, backup, act, scan, deposed, left>>

-------------------------------------------------------------------------------
(* Catch-up, in a scan and in the background of a worker:                      *)
(* packages/ledger/src/catch-up-projection.ts, scripts in                      *)
(* packages/queue/src/ledger-projection.ts.                                    *)
\* Position unknown: everything is forgotten, and the start of the log is the position (RESTART_SCRIPT).
Begin(s) ==
  /\ scan[s].pc = "idle"
  /\ s \in KeepUps => Len(ledger) > redis.pos
  /\ redis' = IF redis.pos = NoPosition THEN [redis EXCEPT !.pos = 0, !.entry = None] ELSE redis
  /\ scan' = [scan EXCEPT ![s].pc = "read", ![s].from = redis'.pos]
  /\ UNCHANGED <<file, tx, ledger, visible, backup, act, late, deposed, left>>
\* `readCommitted` of packages/kafka/src/ledger-reader.ts. A log that ends before the position: ledger-lost, waits.
Read(s) ==
  /\ scan[s].pc = "read"
  /\ \E log \in Answers :
     LET end == IF Position = "stable end" THEN StableEnd(log) ELSE Len(log)  from == scan[s].from IN
     /\ Len(log) >= from
     /\ scan' = [scan EXCEPT ![s].pc = IF CatchUp = "slices" THEN "write first slice" ELSE "write",
                             ![s].to = IF end > from THEN end ELSE from, ![s].rec = Last(log, from, end)]
  /\ UNCHANGED <<file, tx, ledger, visible, redis, backup, act, late, deposed, left>>
ThenAt(s, pc) == [scan EXCEPT ![s] = [ReaderFree EXCEPT !.pc = pc]]
AfterWrite(s) == IF s \in Scanners THEN "look" ELSE "idle"
Write(s) ==
  /\ scan[s].pc = "write"
  /\ IF redis.pos = scan[s].from \/ CatchUp = "unconditional"
     THEN /\ redis' = [redis EXCEPT !.pos = scan[s].to,
                                    !.entry = IF CatchUp = "unconditional" /\ scan[s].rec.off > 0 THEN scan[s].rec ELSE Newer(scan[s].rec, @)]
          /\ scan' = ThenAt(s, AfterWrite(s))
     ELSE UNCHANGED redis /\ scan' = ThenAt(s, "idle") \* overtaken: begins again
  /\ UNCHANGED <<file, tx, ledger, visible, backup, act, late, deposed, left>>
\* More entries than one script takes: those of the first scripts leave the position where it was.
WriteFirstSlice(s) ==
  /\ scan[s].pc = "write first slice"
  /\ IF redis.pos = scan[s].from
     THEN /\ redis' = [redis EXCEPT !.entry = Newer(scan[s].rec, @)]
          /\ scan' = [scan EXCEPT ![s].pc = "write", ![s].rec = None]
     ELSE UNCHANGED redis /\ scan' = ThenAt(s, "idle")
  /\ UNCHANGED <<file, tx, ledger, visible, backup, act, late, deposed, left>>

(* Now and then a scanner compares what is below the position with the whole   *)
(* ledger, and puts the entry right: packages/ledger/src/projection-check.ts.  *)
BeginCheck(s) ==
  /\ scan[s].pc = "look" /\ redis.pos # NoPosition /\ Spend("mend")
  /\ scan' = [scan EXCEPT ![s].pc = "read all", ![s].to = redis.pos]
  /\ UNCHANGED <<file, tx, ledger, visible, redis, backup, act, late, deposed>>
ReadAll(s) ==
  /\ scan[s].pc = "read all"
  /\ \E log \in Answers :
     /\ Mending = "read to the position" => StableEnd(log) >= scan[s].to
     /\ scan' = [scan EXCEPT ![s].pc = "mend", ![s].rec = Last(log, 0, StableEnd(log))]
  /\ UNCHANGED <<file, tx, ledger, visible, redis, backup, act, late, deposed, left>>
Mend(s) ==
  /\ scan[s].pc = "mend"
  /\ LET below == scan[s].to  right == scan[s].rec IN
     redis' = IF redis.entry.off > below \/ right.off > below THEN redis ELSE [redis EXCEPT !.entry = right]
  /\ scan' = ThenAt(s, "look")
  /\ UNCHANGED <<file, tx, ledger, visible, backup, act, late, deposed, left>>

(* The rest of a scan. packages/core/src/decide.ts; 0 is "nothing".            *)
Wanted(e, ident) ==
  LET g == IF e.off = 0 THEN 1
           ELSE IF e.want > e.gen THEN e.want
           ELSE IF e.seen = ident THEN (IF ChangedFiles = "reingest" THEN e.gen + 1 ELSE 0)
           ELSE IF ~e.whole THEN e.gen
           ELSE IF e.ident = ident THEN 0 ELSE e.gen
  IN IF g > MaxGen THEN 0 ELSE g
Look(s) ==
  /\ scan[s].pc = "look"
  /\ LET g == Wanted(redis.entry, file.ident) IN
     scan' = [scan EXCEPT ![s] = IF g = 0 THEN ReaderFree ELSE [ReaderFree EXCEPT !.pc = "add", !.gen = g, !.ident = file.ident]]
  /\ UNCHANGED <<file, tx, ledger, visible, redis, backup, act, late, deposed, left>>
\* packages/queue/src/ingest-queue.ts: one job id per file; a finished job makes room, any other makes this a no-op.
Add(s) ==
  /\ scan[s].pc = "add"
  /\ redis' = IF redis.job.st \in {"none", "done"}
              THEN [redis EXCEPT !.job = [st |-> "wait", own |-> "nobody", gen |-> scan[s].gen, ident |-> scan[s].ident]]
              ELSE redis
  /\ scan' = [scan EXCEPT ![s] = ReaderFree]
  /\ UNCHANGED <<file, tx, ledger, visible, backup, act, late, deposed, left>>

-------------------------------------------------------------------------------
(* One attempt: apps/worker/src/ingest-file.ts, from top to bottom. An         *)
(* operator's command does the same without a job: packages/ledger/src/        *)
(* change-entry.ts.                                                            *)
Owner(a) == a \in Workers /\ redis.job.st = "active" /\ redis.job.own = a
Goto(a, pc) == act' = [act EXCEPT ![a].pc = pc]
First(a) == IF Locks /\ a \in Workers THEN "own" ELSE IF Fenced = "before asking" THEN "fence" ELSE "ask"
AfterOwn == IF Fenced = "before asking" THEN "fence" ELSE "ask"
AfterFence == IF Fenced = "before asking" THEN "ask" ELSE "plan"
AfterTail == IF Fenced = "before asking" THEN "plan" ELSE "fence"

Take(w) ==
  /\ act[w].pc = "idle" /\ redis.job.st = "wait"
  /\ redis' = [redis EXCEPT !.job.st = "active", !.job.own = w]
  /\ act' = [act EXCEPT ![w] = [Free EXCEPT !.pc = First(w), !.gen = redis.job.gen, !.ident = redis.job.ident]]
  /\ UNCHANGED <<file, tx, ledger, visible, backup, scan, late, deposed, left>>
StartCommand(o) ==
  /\ act[o].pc = "idle" /\ Spend("request")
  /\ act' = [act EXCEPT ![o] = [Free EXCEPT !.pc = First(o), !.gen = 1]]
  /\ UNCHANGED <<file, tx, ledger, visible, redis, backup, scan, late, deposed>>

\* Gives up, with an abort that reaches the coordinator or does not; the producer is dropped in any case.
GiveUp(a) ==
  \/ UNCHANGED <<tx, ledger>>
  \/ HasOpen(a) /\ tx' = [tx EXCEPT ![Id(a)] = Aborted(@, @.ep)] /\ ledger' = Decided(Id(a), "abort")
\* Fate "again" and "hold" of packages/core/src/retry-policy.ts: begin at step 1.
StartAgain(a) == act' = [act EXCEPT ![a] = [Free EXCEPT !.pc = First(a), !.gen = act[a].gen, !.ident = act[a].ident,
                                                        !.tried = act[a].tried]]
\* Fate "put-back": the job waits again, under what the file is now.
PutBack(w) ==
  /\ redis' = IF Owner(w) THEN [redis EXCEPT !.job = [@ EXCEPT !.st = "wait", !.own = "nobody", !.ident = file.ident]] ELSE redis
  /\ act' = [act EXCEPT ![w] = Free]

\* 1 Own
Own(w) ==
  /\ act[w].pc = "own"
  /\ IF Owner(w) THEN Goto(w, AfterOwn) ELSE act' = [act EXCEPT ![w] = Free]
  /\ UNCHANGED <<file, tx, ledger, visible, redis, backup, scan, late, deposed, left>>

\* 2 Fence: InitProducerId waits for a prepared commit's markers, aborts what is open, and answers a new epoch. The
\* answer may be lost, and the request repeated. From then on nothing of an older epoch has an effect on the coordinator.
Fence(a) ==
  /\ act[a].pc \in {"fence", "fence only"} /\ left.fence > 0
  /\ LET i == Id(a)  t == tx[i]  ep == IF t.st = "unknown" THEN 0 ELSE t.ep + 1 IN
     /\ t.st \notin Prepared
     /\ tx' = [tx EXCEPT ![i] = IF t.st = "open" THEN [Aborted(t, ep) EXCEPT !.st = "empty"] ELSE [t EXCEPT !.st = "empty", !.ep = ep]]
     /\ ledger' = Decided(i, "abort")
     /\ late' = StillOf(i)
     /\ \/ /\ act' = [act EXCEPT ![a].pid = t.pid, ![a].ep = ep, ![a].retried = FALSE,
                                 ![a].pc = IF @ = "fence only" THEN "write" ELSE AfterFence]
           /\ left' = [left EXCEPT !.fence = @ - 1]
        \/ left.lost > 0 /\ left' = [left EXCEPT !.fence = @ - 1, !.lost = @ - 1] /\ UNCHANGED act
  /\ UNCHANGED <<file, visible, redis, backup, scan, deposed>>

\* 3 Ask: packages/ledger/src/ask-ledger.ts. First the projection: `ask` of packages/queue/src/ledger-projection.ts.
Ask(a) ==
  /\ act[a].pc = "ask"
  /\ LET trusts == \/ ReadTo = "not at all"
                   \/ (a \in Operators /\ Operator = "asks the projection")
                   \/ (Epoch0 = "means nobody was here" /\ Fenced = "before asking" /\ act[a].ep = 0)
         from == IF redis.pos = NoPosition THEN 0 ELSE redis.pos
     IN act' = [act EXCEPT ![a].entry = redis.entry, ![a].from = from, ![a].readTo = from,
                           ![a].pc = IF trusts THEN AfterTail ELSE IF AskRedis = "two commands" THEN "ask position" ELSE "tail"]
  /\ UNCHANGED <<file, tx, ledger, visible, redis, backup, scan, late, deposed, left>>
AskPosition(a) ==
  /\ act[a].pc = "ask position"
  /\ act' = [act EXCEPT ![a].from = IF redis.pos = NoPosition THEN 0 ELSE redis.pos, ![a].pc = "tail"]
  /\ UNCHANGED <<file, tx, ledger, visible, redis, backup, scan, late, deposed, left>>
\* Then the topic: `readTail` of packages/kafka/src/ledger-reader.ts. What is open there is kept in mind.
ReadTail(a) ==
  /\ act[a].pc = "tail"
  /\ \E log \in Answers :
     LET from == act[a].from  known == act[a].entry
         end == IF ReadTo = "to the end" THEN Len(log) ELSE LET e == StableEnd(log) IN IF e > from THEN e ELSE from
     IN /\ Len(log) >= from
        /\ act' = [act EXCEPT ![a].entry = Newer(Last(log, from, end), IF known.off <= Len(log) THEN known ELSE None),
                              ![a].readTo = end, ![a].from = 0, ![a].pc = AfterTail,
                              ![a].open = Ours(log, from, end, "open")]
  /\ UNCHANGED <<file, tx, ledger, visible, redis, backup, scan, late, deposed, left>>

\* packages/core/src/plan-attempt.ts. "none" is: from the first byte.
PlanFor(e, gen, ident) ==
  LET continue == IF e.whole /\ ident \in {e.ident, e.seen} THEN "done" ELSE "continue" IN
  IF e.off = 0 THEN "from start"
  ELSE CASE Plan = "generation first" -> IF e.gen < gen THEN "from start" ELSE IF e.gen > gen THEN "done" ELSE continue
         [] Plan = "state first" -> IF e.whole THEN (IF e.gen < gen THEN "from start" ELSE IF e.gen > gen THEN "done" ELSE continue) ELSE "continue"
         [] Plan = "other generation is none" -> IF e.gen # gen THEN "from start" ELSE continue
\* The record of a transaction that takes in part p: apps/worker/src/file-transactions.ts. A later request is kept.
PartRecord(a, p, want) ==
  [None EXCEPT !.gen = act[a].gen, !.upto = p, !.whole = (p = file.parts), !.ident = act[a].ident, !.content = file.content,
               !.want = IF want > act[a].gen THEN want ELSE 0]
Writing(a, kind, rec, pc) == act' = [act EXCEPT ![a].kind = kind, ![a].rec = [rec EXCEPT !.off = 0], ![a].pc = pc, ![a].entry = None]
\* 3 decided; 4 Open and compare; the comparison of step 5 (PrefixCheck of apps/worker/src/stream-file.ts). The code opens
\* the file from step 1 on, beside its questions to Kafka and Redis (opening-file.ts): that is only earlier, and step 6
\* compares with the same identity.
Open(w) ==
  LET e == act[w].entry  plan == PlanFor(e, act[w].gen, act[w].ident) IN
  IF plan = "done" THEN
    \* the entry goes to the projection and the job is done
    UNCHANGED redis /\ act' = [act EXCEPT ![w] = [Free EXCEPT !.pc = "put", !.gen = act[w].gen, !.kind = "done", !.rec = IF e.gen = act[w].gen THEN e ELSE None]]
  ELSE IF file.ident # act[w].ident THEN PutBack(w)
  ELSE /\ UNCHANGED redis
       /\ IF plan = "continue" /\ Compare /\ e.content # file.content
          THEN Writing(w, "changed", [e EXCEPT !.seen = act[w].ident], "ledger")
          ELSE IF plan = "continue" /\ e.whole /\ e.upto = file.parts
          THEN Writing(w, "touched", [e EXCEPT !.ident = act[w].ident, !.seen = 0], "ledger")
          ELSE Writing(w, "part", PartRecord(w, IF plan = "continue" THEN e.upto + 1 ELSE 1, e.want), "write")
\* `withRequest` of apps/cli/src/commands/reingest.ts, within `changeEntry`: what did happen is not done again.
MakeRequest(o) ==
  LET e == act[o].entry
      itHappened == \/ act[o].tried # None /\ [e EXCEPT !.off = 0] = act[o].tried
                    \/ Again = "by generation" /\ act[o].tried # None /\ e.gen >= act[o].tried.want
  IN /\ UNCHANGED redis
     /\ IF e.off = 0 \/ e.want > e.gen \/ e.gen = MaxGen \/ itHappened
        THEN act' = [act EXCEPT ![o] = Free]
        ELSE LET rec == [e EXCEPT !.want = e.gen + 1, !.off = 0]
             IN act' = [act EXCEPT ![o].kind = "request", ![o].rec = rec, ![o].tried = rec, ![o].pc = "ledger", ![o].entry = None]
Decide(a) ==
  /\ act[a].pc = "plan"
  /\ IF a \in Workers THEN Open(a) ELSE MakeRequest(a)
  /\ UNCHANGED <<file, tx, ledger, visible, backup, scan, late, deposed, left>>

\* 5 Stream one part: packages/kafka/src/batching-writer.ts, transactional-producer.ts.
Row(w) == <<act[w].rec.upto, act[w].rec.gen, file.content>>
Stream(w) ==
  /\ act[w].pc = "write"
  /\ IF Current(w)
     THEN /\ tx[Id(w)].st \notin Prepared
          /\ \/ /\ tx' = [tx EXCEPT ![Id(w)].st = "open", ![Id(w)].rows = Plus(@, One(Row(w))),
                                    ![Id(w)].seen = IF LateBatches > 0 THEN act[w].ep ELSE 0]
                /\ Goto(w, IF Record = "after the commit" THEN "commit" ELSE "ledger") /\ UNCHANGED <<late, ledger, left>>
             \* the batch is not answered within the deadline; the partition is in the transaction already
             \/ /\ Spend("batch") /\ StartAgain(w)
                /\ late' = late \union {[kind |-> "batch", id |-> Id(w), pid |-> act[w].pid, ep |-> act[w].ep, row |-> Row(w)]}
                /\ LET opened == [tx[Id(w)] EXCEPT !.st = "open"] IN
                   \/ tx' = [tx EXCEPT ![Id(w)] = opened] /\ UNCHANGED ledger
                   \/ Abort = "always" /\ tx' = [tx EXCEPT ![Id(w)] = Aborted(opened, opened.ep)] /\ ledger' = Decided(Id(w), "abort")
     ELSE StartAgain(w) /\ UNCHANGED <<tx, ledger, late, left>>
  /\ UNCHANGED <<file, visible, redis, backup, scan, deposed>>

\* 6 Check, 7 ledger record last: file-transactions.ts, `commitEntry` of packages/ledger/src/commit-entry.ts.
WriteRecord(a) ==
  /\ act[a].pc = "ledger"
  /\ LET i == Id(a)  inside == Record = "in the transaction" \/ act[a].kind # "part"
         rec == [act[a].rec EXCEPT !.off = Len(ledger) + 1] IN
     IF Check /\ act[a].kind # "request" /\ file.ident # act[a].ident /\ Record # "after the commit"
     THEN PutBack(a) /\ GiveUp(a)
     ELSE IF Current(a) \/ ~inside
     THEN /\ inside => tx[i].st \notin Prepared
          /\ ledger' = Append(ledger, [id |-> i, st |-> IF inside THEN "open" ELSE "commit", rec |-> rec])
          /\ tx' = IF inside THEN [tx EXCEPT ![i].st = "open"] ELSE tx
          /\ act' = [act EXCEPT ![a].rec = rec,
                                ![a].pc = IF ~inside /\ Record = "after the commit" THEN "put" ELSE IF Meet /\ inside THEN "meet" ELSE "commit"]
          /\ UNCHANGED redis
     ELSE StartAgain(a) /\ UNCHANGED <<tx, ledger, redis>>
  /\ UNCHANGED <<file, visible, backup, scan, late, deposed, left>>
\* `meetYourself` of ledger-reader.ts: only the leader can have our record. Anything of this file that was decided between
\* the end of step 3 and our record means that step 3 was told an old story; so does a marker for what was open then.
MeetYourself(a) ==
  /\ act[a].pc = "meet"
  /\ LET own == act[a].rec.off
         others == Ours(ledger, act[a].readTo, Len(ledger), "commit") \union {i \in act[a].open : ledger[i].st = "commit"} IN
     IF others = {} /\ ledger[own].st = "open"
     THEN act' = [act EXCEPT ![a].pc = "commit", ![a].open = {}, ![a].readTo = 0] /\ UNCHANGED <<tx, ledger>>
     ELSE StartAgain(a) /\ GiveUp(a)
  /\ UNCHANGED <<file, visible, redis, backup, scan, late, deposed, left>>

\* 8 Commit: `commit` of transactional-producer.ts.
CommitRequest(a) == [kind |-> "commit", id |-> Id(a), pid |-> act[a].pid, ep |-> act[a].ep]
CarriedOut(a) == IF HasOpen(a) THEN [tx EXCEPT ![Id(a)].st = "prepared"] ELSE tx
Committed(a) == IF Record = "after the commit" /\ act[a].kind = "part" THEN "ledger" ELSE "put"
Commit(a) ==
  /\ act[a].pc = "commit"
  /\ \/ \* answered, or refused: unknown
        /\ IF HasOpen(a) THEN tx' = CarriedOut(a) /\ Goto(a, Committed(a)) ELSE UNCHANGED tx /\ StartAgain(a)
        /\ UNCHANGED <<ledger, late, left>>
     \/ \* carried out, no answer: unknown. The abort that follows is refused.
        Spend("lost") /\ tx' = CarriedOut(a) /\ StartAgain(a) /\ UNCHANGED <<ledger, late>>
     \/ \* given up before it arrived: unknown. An abort may overtake it.
        /\ Spend("lost") /\ StartAgain(a) /\ GiveUp(a) /\ late' = late \union {CommitRequest(a)}
     \/ \* repeated: the repetition is answered, and the first copy is still on its way
        /\ HasOpen(a) /\ Spend("lost") /\ tx' = CarriedOut(a)
        /\ act' = [act EXCEPT ![a].pc = Committed(a), ![a].retried = TRUE]
        /\ late' = late \union {CommitRequest(a)} /\ UNCHANGED ledger
  /\ UNCHANGED <<file, visible, redis, backup, scan, deposed>>

\* 9 The projection; then the next part, or the end.
PutEntry(a) ==
  /\ act[a].pc = "put"
  /\ redis' = [redis EXCEPT !.entry = IF Put = "always" /\ act[a].rec.off > 0 THEN act[a].rec ELSE Newer(act[a].rec, @)]
  /\ LET next == PartRecord(a, act[a].rec.upto + 1, act[a].rec.want)
         more == act[a].kind = "part" /\ ~act[a].rec.whole /\ act[a].rec.upto < file.parts IN
     act' = IF more /\ act[a].retried /\ Retried = "own"
            THEN [act EXCEPT ![a] = [Free EXCEPT !.pc = First(a), !.gen = act[a].gen, !.ident = act[a].ident]]
            ELSE IF more
            THEN [act EXCEPT ![a].readTo = act[a].rec.off, ![a].rec = next, ![a].retried = FALSE,
                             ![a].pc = IF act[a].retried /\ Retried = "fence" THEN "fence only" ELSE "write"]
            ELSE [act EXCEPT ![a] = [Free EXCEPT !.pc = "finish", !.gen = act[a].gen]]
  /\ UNCHANGED <<file, tx, ledger, visible, backup, scan, late, deposed, left>>
Finish(a) ==
  /\ act[a].pc = "finish"
  /\ redis' = IF Owner(a) THEN [redis EXCEPT !.job = [@ EXCEPT !.st = "done", !.own = "nobody"]] ELSE redis
  /\ act' = [act EXCEPT ![a] = Free]
  /\ UNCHANGED <<file, tx, ledger, visible, backup, scan, late, deposed, left>>

-------------------------------------------------------------------------------
(* Faults, other files, and what happens to the file.                          *)
Crash(a) ==
  /\ act[a].pc # "idle" /\ Spend("crash") /\ act' = [act EXCEPT ![a] = Free]
  /\ UNCHANGED <<file, tx, ledger, visible, redis, backup, scan, late, deposed>>
\* The lock runs out, whether its owner is dead, frozen or cut off: another may take the job.
Stall ==
  /\ redis.job.st = "active" /\ Spend("stall")
  /\ redis' = [redis EXCEPT !.job.st = "wait", !.job.own = "nobody"]
  /\ UNCHANGED <<file, tx, ledger, visible, backup, act, scan, late, deposed>>
\* SFTP server, Redis or Kafka is away: abort, keep the job, begin again.
Hold(a) ==
  /\ act[a].pc \in {"tail", "plan", "write", "ledger", "meet"} /\ Spend("hold")
  /\ StartAgain(a) /\ GiveUp(a)
  /\ UNCHANGED <<file, visible, redis, backup, scan, late, deposed>>
BackUp ==
  /\ left.rollback > 0 /\ backup # redis /\ Spend("backup") /\ backup' = redis
  /\ UNCHANGED <<file, tx, ledger, visible, redis, act, scan, late, deposed>>
RollBack ==
  /\ redis # backup /\ Spend("rollback") /\ redis' = backup
  /\ UNCHANGED <<file, tx, ledger, visible, backup, act, scan, late, deposed>>
OtherFileWrites ==
  /\ Spend("other") /\ ledger' = Append(ledger, [id |-> 0, st |-> "open", rec |-> None])
  /\ UNCHANGED <<file, tx, visible, redis, backup, act, scan, late, deposed>>
OtherFileCommits ==
  /\ \E k \in 1..Len(ledger) : ledger[k].id = 0 /\ ledger[k].st = "open"
  /\ ledger' = Decided(0, "commit")
  /\ UNCHANGED <<file, tx, visible, redis, backup, act, scan, late, deposed, left>>
\* The ledger's leader changes; the old one does not know, and goes on answering from what it has.
Depose ==
  /\ Spend("depose") /\ deposed' = ledger
  /\ UNCHANGED <<file, tx, ledger, visible, redis, backup, act, scan, late>>
Change(x, f) ==
  /\ Spend(x) /\ file' = f
  /\ UNCHANGED <<tx, ledger, visible, redis, backup, act, scan, late, deposed>>
FileChanges ==
  \/ Change("touch", [file EXCEPT !.ident = @ + 1])
  \/ Change("grow", [file EXCEPT !.ident = @ + 1, !.parts = @ + 1])
  \/ Change("replace", [file EXCEPT !.ident = @ + 1, !.content = @ + 1])

Next ==
  \/ \E w \in Workers : Take(w) \/ Own(w) \/ Stream(w)
  \/ \E o \in Operators : StartCommand(o)
  \/ \E a \in Actors : \/ Fence(a) \/ Ask(a) \/ AskPosition(a) \/ ReadTail(a) \/ Decide(a) \/ WriteRecord(a)
                       \/ MeetYourself(a) \/ Commit(a) \/ PutEntry(a) \/ Finish(a) \/ Crash(a) \/ Hold(a)
  \/ \E s \in Readers : Begin(s) \/ Read(s) \/ WriteFirstSlice(s) \/ Write(s) \/ Look(s) \/ Add(s) \/ BeginCheck(s) \/ ReadAll(s) \/ Mend(s)
  \/ \E i \in Ids : MarkData(i) \/ MarkLedger(i) \/ Intrude(i) \/ Forget(i)
  \/ \E m \in late : Arrive(m)
  \/ Stall \/ BackUp \/ RollBack \/ OtherFileWrites \/ OtherFileCommits \/ Depose \/ FileChanges
Spec == Init /\ [][Next]_vars

-------------------------------------------------------------------------------
(* What must hold in every state.                                              *)
HalfMarked == \E i \in Ids : tx[i].st \in {"data marked", "ledger marked"}
Covers(k, r) == ledger[k].id # 0 /\ ledger[k].st = "commit" /\ ledger[k].rec.upto >= r[1] /\ ledger[k].rec.gen = r[2]
Covered(r) == \E k \in 1..Len(ledger) : Covers(k, r) /\ ledger[k].rec.content = r[3]
Begun(g) == \E r \in Rows : r[2] = g /\ visible[r] > 0

\* No row is visible twice within a generation.
EachRowOnce == \A r \in Rows : visible[r] <= 1
\* Nobody works, no job waits, the projection is up to date and a scan would do nothing: then every row is there, unless
\* the file is known and reported as changed.
Quiet ==
  /\ \A a \in Actors : act[a].pc = "idle"
  /\ \A s \in Readers : scan[s].pc = "idle"
  /\ redis.job.st \in {"none", "done"}
  /\ redis.pos = Len(ledger) /\ StableEnd(ledger) = Len(ledger)
  /\ \A i \in Ids : tx[i].st \notin Prepared
  /\ Wanted(redis.entry, file.ident) = 0
NoRowLost == Quiet =>
  \/ redis.entry.seen = file.ident
  \/ redis.entry.want > MaxGen
  \/ \A p \in 1..file.parts : visible[<<p, redis.entry.gen, file.content>>] = 1
\* The ledger and the topics tell the same, as soon as no commit is between its markers.
LedgerMatchesRows == HalfMarked \/ \A r \in Rows : Covered(r) <=> visible[r] > 0
\* The ledger never promises rows that are neither there nor certain to come.
LedgerPromisesNothing == \A r \in Rows : Covered(r) =>
  visible[r] > 0 \/ \E i \in Ids : tx[i].st = "ledger marked" /\ tx[i].rows[r] > 0
\* The rows of one generation are of one content.
NoMixture == \A g \in Gens : Cardinality({r[3] : r \in {x \in Rows : x[2] = g /\ visible[x] > 0}}) <= 1
\* Everything below the position is in the projection, and nothing is in it that may not come true.
ProjectionTrue ==
  /\ redis.pos # NoPosition => redis.pos <= Len(ledger) /\ redis.entry.off >= Last(ledger, 0, redis.pos).off
  /\ redis.entry.off > 0 => LET x == ledger[redis.entry.off] IN x.st = "commit" \/ (x.st = "open" /\ tx[x.id].st \in Prepared)
\* A file is ingested again no more often than somebody asked for it.
OnlyAskedFor == Cardinality({g \in Gens : Begun(g)}) <=
  1 + (Requests - left.request) + (IF ChangedFiles = "reingest" THEN Replaces - left.replace ELSE 0)

(* The model gets this far: each of these must be violated.                    *)
NeverDone == ~(Quiet /\ \A p \in 1..file.parts : visible[<<p, 1, 1>>] = 1)
NeverForgotten == ~(\E i \in Ids : tx[i].pid = 2 /\ tx[i].st = "open")
NeverTouched == ~(Quiet /\ file.ident = 2 /\ file.content = 1 /\ redis.entry.ident = 2 /\ redis.entry.whole)
NeverGrown == ~(Quiet /\ file.parts = Parts + 1 /\ redis.entry.upto = Parts + 1 /\ redis.entry.gen = 1)
NeverReported == ~(Quiet /\ redis.entry.seen = file.ident /\ redis.entry.seen > 1)
NeverAgain == ~(Quiet /\ redis.entry.gen = 2 /\ redis.entry.whole)
NeverOldStory == ~(\E a \in Actors : act[a].pc = "meet" /\ \E i \in Ours(ledger, act[a].readTo, Len(ledger), "commit") : i < act[a].rec.off)
Symmetry == Permutations(Workers) \union Permutations(Scanners)
===============================================================================
