use super::*;

/// What Go's `time.ParseDuration` makes of it, in nanoseconds, and how Go prints that.
const READ: &[(&str, u64, &str)] = &[
    ("0", 0, "0s"),
    ("+0", 0, "0s"),
    ("0s", 0, "0s"),
    ("90s", 90 * SECOND, "1m30s"),
    ("1h30m", 90 * MINUTE, "1h30m0s"),
    ("1h", HOUR, "1h0m0s"),
    ("+5m", 5 * MINUTE, "5m0s"),
    ("1.5h", 90 * MINUTE, "1h30m0s"),
    ("1.h", HOUR, "1h0m0s"),
    (".5h", 30 * MINUTE, "30m0s"),
    ("300ms", 300 * MILLISECOND, "300ms"),
    ("1.5s", 1_500 * MILLISECOND, "1.5s"),
    ("1500ms", 1_500 * MILLISECOND, "1.5s"),
    ("1m0.001s", MINUTE + MILLISECOND, "1m0.001s"),
    ("7ns", 7, "7ns"),
    ("2us", 2_000, "2µs"),
    ("2\u{b5}s", 2_000, "2µs"),
    ("2\u{3bc}s", 2_000, "2µs"),
    ("1500ns", 1_500, "1.5µs"),
    ("1h1h", 2 * HOUR, "2h0m0s"),
    ("1s1h", HOUR + SECOND, "1h0m1s"),
    ("1.0000000000000000000000000001s", SECOND, "1s"),
    ("0.9ns", 0, "0s"),
    ("8760h", 8_760 * HOUR, "8760h0m0s"),
    ("000000000000000000000000000001s", SECOND, "1s"),
    ("2562047h47m16.854775807s", i64::MAX as u64, "2562047h47m16.854775807s"),
];

const REFUSED: &[(&str, DurationError)] = &[
    ("", DurationError::Empty),
    ("+", DurationError::Empty),
    ("-1h", DurationError::Negative),
    ("-0", DurationError::Negative),
    ("60", DurationError::MissingUnit),
    ("1h30", DurationError::MissingUnit),
    ("1d", DurationError::UnknownUnit),
    ("1H", DurationError::UnknownUnit),
    ("1 h", DurationError::UnknownUnit),
    ("1h ", DurationError::UnknownUnit),
    ("1h 30m", DurationError::UnknownUnit),
    ("h", DurationError::Syntax),
    (".h", DurationError::Syntax),
    (" 1h", DurationError::Syntax),
    ("1h.m", DurationError::Syntax),
    ("++1h", DurationError::Syntax),
    ("２h", DurationError::Syntax),
    ("2562047h47m16.854775808s", DurationError::TooLong),
    ("99999999999999999999h", DurationError::TooLong),
    ("999999999999999999999999h", DurationError::TooLong),
    ("1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h", DurationError::TooLong),
];

#[test]
fn reads_and_prints_as_go_does() {
    for (text, nanos, printed) in READ {
        let duration: GoDuration = text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(duration.as_std(), Duration::from_nanos(*nanos), "{text:?}");
        assert_eq!(duration.to_string(), *printed, "{text:?}");
        assert_eq!(printed.parse(), Ok(duration), "{printed:?}");
    }
}

#[test]
fn refuses_the_rest_with_its_reason() {
    for (text, error) in REFUSED {
        assert_eq!(text.parse::<GoDuration>(), Err(*error), "{text:?}");
        let json = serde_json::Value::from(*text);
        let message = serde_json::from_value::<GoDuration>(json).unwrap_err().to_string();
        assert_eq!(message, error.to_string(), "serde says the same, without the text");
    }
}

#[test]
fn seconds_are_cut_to_the_longest() {
    assert_eq!(GoDuration::from_secs(90).to_string(), "1m30s");
    assert_eq!(GoDuration::from_secs(u64::MAX), GoDuration::MAX);
    assert!(GoDuration::from_secs(0).is_zero());
}

#[test]
fn a_store_takes_seconds_too() {
    let read = |json: &str| serde_json::from_str::<SecondsOrDuration>(json).map_err(|error| error.to_string());
    assert_eq!(read("300"), Ok(SecondsOrDuration(GoDuration::from_secs(300))));
    assert_eq!(read("\"5m\""), Ok(SecondsOrDuration(GoDuration::from_secs(300))));
    assert_eq!(read("0"), Ok(SecondsOrDuration(GoDuration::ZERO)));
    assert!(read("-5").is_err());
    assert!(read("\"300\"").is_err(), "a number in quotes has no unit");
    assert!(read("18446744073709551615").is_ok_and(|long| long.0 == GoDuration::MAX));
}

proptest::proptest! {
    #[test]
    fn whatever_is_read_prints_as_something_that_reads_the_same(text in r"[+-]?([0-9]{0,12}(\.[0-9]{0,20})?(ns|us|ms|s|m|h|d)?){0,4}") {
        if let Ok(duration) = text.parse::<GoDuration>() {
            proptest::prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}") {
        let _ = text.parse::<GoDuration>();
    }
}
