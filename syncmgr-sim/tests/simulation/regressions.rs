//! Scripts that once failed, each with its cause.

use syncmgr_sim::{Parts, Simulation};

/// The seed, the relevant parts, and the bug. A change of the generator changes all scripts; to find a new script for a bug,
/// revert its fix and run the simulation.
const REGRESSIONS: &[(u64, &str, &str)] = &[
    (
        781,
        "7-8,10,25-26,28,30,34-35,38,40",
        "a delayed reconnect ended a backoff that began after the network was back",
    ),
    (
        853,
        "0,2,5-7,14,16,19,28-30,32,36",
        "an automatic run took along a resumed item although another session had just failed to run it",
    ),
    (
        3528,
        "0,3-4,8-9,17-19",
        "a run queued behind another run of its handler ran items that need a request, once the handler was unregistered",
    ),
    (5539, "15,21-22", "a shutdown did not end tasks that waited for a slow store"),
    (
        15538,
        "0,3-6,10,12,28-31,35",
        "an item to be resumed immediately was held by its handler's backoff and then lost",
    ),
    (
        18630,
        "0,3,8-10,14,17,29,32,42-43",
        "a retry that waited for the network was lost in a session whose preferences excluded it",
    ),
    (26576, "0,4-5,11,13,16,22,24", "an item of a run that was stopped before its start was never due again"),
    (29035, "0,3-4,8,13-15,32,34,40", "a retry that was stopped before its handler listed items was never due again"),
    (
        5_001_382,
        "0,6-7,28,34-35,40-42",
        "the model took the session of a fence for that of the attempt, so a later attempt of an earlier session looked stale",
    ),
    (
        5_001_566,
        "2-4,11,18,20,26-28",
        "the model counted failures that a reconnect had cleared, after the clock was set back and the process was killed",
    ),
    (
        5_002_010,
        "7,10,13-14,20-24",
        "the model counted failures that a reconnect had cleared, after the clock was set back and the manager was shut down",
    ),
    (
        5_002_359,
        "8,11,13,24-25,27,30,34,40,42,44",
        "an item that was due because the clock was set back was lost when its run began after the clock was right again",
    ),
    (
        5_002_932,
        "9-10,12,15,21,24,26,33",
        "a delayed reconnect ended a backoff that began after the network was back, if the item had failed before",
    ),
    (
        5_007_073,
        "0,4,6,13,18,21,26-29",
        "forgetting a handler cleared the retry states of a later registration with its id",
    ),
    (
        5_011_734,
        "0,3-4,18,21-26",
        "a run that waited for another run of its handler began offline when both were stopped to forget the handler",
    ),
    (
        5_013_296,
        "0,2-4,17-18,36-38",
        "an interrupted run was never resumed if its handler was registered again while the network held the run",
    ),
    (
        5_013_772,
        "7,11,17,19,33-34,37,42,44-45,48",
        "the model did not know that an automatic run takes an item along twice and may be stopped before the second attempt",
    ),
    (
        5_016_475,
        "2-4,7-8,12,18-19",
        "the model expected a wait that could not be stored to outlast the registration of its handler",
    ),
    (
        5_023_852,
        "0,3-6,14-17,19,33-34",
        "a retry whose session could not begin was lost once an answer had started the handler again",
    ),
    (
        5_046_772,
        "11-12,18,24,26-27,29",
        "the model kept a time that the peer had set although a forced session that could not prepare had cleared it",
    ),
    (
        5_051_402,
        "0-1,7,10-11,23-24,27,32-33,39-41",
        "a retry whose session could not begin was lost once a request for another item had begun",
    ),
    (
        5_052_998,
        "0,10,12-14,29,40,47-48,53,60,62",
        "the model did not know that an interrupted item whose end was not stored is resumed",
    ),
    (5_001_581, "", "forgetting a handler ended the retries of a later registration with its id"),
    (
        7_012_100,
        "0,3-6,9-10,12-13,15-16,22,24-26,28-30,48-49,53,61-62,65-66",
        "a retry was lost when its handler was still backing off",
    ),
    (
        7_029_226,
        "0-10,12,19,21-22,24-26,28,30,33-37",
        "the model expected an interrupted item to be resumed although it needs attention",
    ),
    (
        7_126_044,
        "0,4-5,8-9,27,32,38",
        "the model did not know that requests merge only within one registration of their handler",
    ),
    (
        8_000_123,
        "0,4-5,7-9,11-13,15-16,24-25,37",
        "the model did not know that the user may skip an item that an automatic run takes along twice",
    ),
    (
        8_025_342,
        "0,2-4,7,9,11-13,17-19,21,24",
        "a fence named a session whose start was not stored, so later processes could not store the item's end",
    ),
    (
        8_027_367,
        "0,2-6,12-13,19-21,23-24,30,32-33,37,41-42,45",
        "a retry was lost that was due in a new process while its handler needed attention",
    ),
    (
        8_033_032,
        "0,3-4,12,14,16,23,26,28-29,31-32",
        "the failure of a handler to begin was stored before its log entry",
    ),
    (
        8_089_313,
        "0-1,4-5,9-10,14,16,24,26,29,34-35,38,41-42,44-48,50-51,53-55,58,61,64,66",
        "a new process used the number of a session again whose start could not be stored, so its ends were not stored",
    ),
    (
        8_139_635,
        "0-5,7,11,13,15-16,19,22-25,27,30,32,34,37,41-42,44",
        "the model expected a state that was saved before the item was reset and acknowledged afterwards",
    ),
    (
        8_160_023,
        "0,4-7,9-10,12-13,18,22,32,35",
        "a retry that waited for the network was lost when a run waited too whose preferences excluded it",
    ),
    (
        9_106_609,
        "9-10,18,24,33,37,48,52-54",
        "an earlier run made an item due again that a later listing had lacked meanwhile",
    ),
    (
        9_421_234,
        "0,2,4,7,9,11,13,17,19",
        "the model expected the log entry of a failure although the store had refused the answer to it",
    ),
    (
        9_422_830,
        "0-3,5-6,8-9,14-15,17-18,20-21,23-24,27-28,30-31,33",
        "a request was merged with the attempt of an earlier run that had failed before the request",
    ),
    (9_710_894, "0-1,3-4,6,8-9,27,44-45", "an item that waited for a forgotten one did not become due at its own time"),
    (9_732_616, "", "an item whose interruptions had used up its budget was held without a question"),
    (
        20_064_117,
        "2-5,7,9,14,17,22,26,31-32,35,41,50,55-56,58,60-61",
        "an item was due up to a minute late, long after the clock was set forward",
    ),
    (
        21_022_315,
        "0-1,4-7,10,13-20,24",
        "the model took the fence of a later session's commit for that of the reported outcome",
    ),
    (
        31_036_424,
        "3,5-6,9-10,25,30,32,40,42,46,48",
        "a run that waited for its turn ran an item that had been forgotten meanwhile, and did not count its failure",
    ),
    (
        50_004_604,
        "0,3,5-9,18-22,24-25,27,38,41,55,57,64",
        "the model allowed no task that waits for a slow store after a shutdown",
    ),
    (216, "0,2,8,36,38-40,42", "the agenda said that an interrupted run of disabled items starts at once"),
    (
        53_000_135,
        "3-6,38,61-62,68-69,83,91-93,97",
        "a change of any item was lost in a queued run that left the items out because an earlier run had begun them",
    ),
    (
        53_001_766,
        "0,3-4,16,20,22-24,30-31,39,76",
        "a firing that waited because its handler could not begin did not start once a requested run had begun",
    ),
    (
        93_001_029,
        "0,9-10,14,24,32,34-35,44",
        "a run for an idle user went on when the user returned while the network was metered",
    ),
    (
        384,
        "0,4,6,37,51-53",
        "the model did not know that a process may start while a shutdown of the machine is announced",
    ),
];

#[test]
fn scripts_that_once_failed_pass() {
    let simulation = Simulation::new();
    for (seed, kept, bug) in REGRESSIONS {
        let script = match *kept {
            "" => simulation.script(*seed),
            kept => simulation.shortened(*seed, &kept.parse::<Parts>().unwrap()),
        };
        let violation = simulation.play(&script).violation;
        assert_eq!(violation, None, "{bug}: {script}");
    }
}
