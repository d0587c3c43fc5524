// Histograms and their text, and readiness by contact with Globus Auth.

import Audit
import FoundationEssentials
import Logging
import Testing

@testable import Frontend
@testable import Reactor

@Suite struct MetricsTests {
  @Test(arguments: [
    (0, "0"), (1, "0.000001"), (1_000, "0.001"), (2_500_000, "2.5"), (60_000_000, "60"),
    (1_234_567, "1.234567"),
  ]) func secondsAreExact(microseconds: UInt64, text: String) {
    #expect(MetricsText.seconds(microseconds) == text)
  }

  @Test func aHistogramIsCumulativeAndItsBoundsInclusive() {
    var histogram = Histogram()
    for value: UInt64 in [0, 1_000, 1_001, 2_500, 7_000_000, 1_800_000_000, 1_800_000_001] {
      histogram.observe(microseconds: value)
    }
    var text = MetricsText()
    histogram.write("x_seconds", "operation", "GetObject", to: &text)
    let samples = text.text.split(separator: "\n").map { $0.split(separator: " ").last! }
    #expect(
      samples == [
        "2", "4", "4", "4", "4", "4", "4", "4", "4", "4", "4", "4", "5", "5", "5", "5", "6", "7",
        "3607.004502", "7",
      ])
    #expect(
      text.text.hasPrefix(
        "globus_s3_frontend_x_seconds_bucket{operation=\"GetObject\",le=\"0.001\"} 2\n"))
  }

  @Test func boundsRise() {
    #expect(zip(Histogram.bounds, Histogram.bounds.dropFirst()).allSatisfy { $0 < $1 })
  }

  @Test func labelsAreEscaped() {
    var text = MetricsText()
    text.sample("a", [("b", "c\"\\\nd")], 1)
    #expect(text.text == "globus_s3_frontend_a{b=\"c\\\"\\\\\\nd\"} 1\n")
  }

  @Test func eachActionHasOneSeriesForEachStatus() async throws {
    try await onLoop {
      let metrics = Metrics()
      let trace = UpstreamTrace()
      trace.resumes = 1
      for (name, status) in [("A", 200), ("B", 404), ("A", 404), ("A", 200)] {
        let sent = Sent(
          outcome: .complete, status: status, bodyBytes: 10, bytesIn: 1,
          firstByteMicroseconds: 2_000, lastByteMicroseconds: 3_000)
        metrics.count(operation: name, sent, since: 1_000, trace)
      }
      var text = MetricsText()
      metrics.write(to: &text)
      for line in [
        "requests_total{operation=\"A\",status=\"200\"} 2",
        "requests_total{operation=\"A\",status=\"404\"} 1",
        "requests_total{operation=\"B\",status=\"404\"} 1",
        "request_duration_seconds_sum{operation=\"A\"} 0.006",
        "time_to_first_byte_seconds_bucket{operation=\"A\",le=\"0.001\"} 3",
        "request_bytes_total 4", "response_bytes_total 40", "resumes_total{result=\"resumed\"} 4",
      ] {
        #expect(text.text.contains("\nglobus_s3_frontend_\(line)\n"), "\(line)")
      }
    }
  }
}

@Suite struct AuthContactTests {
  private let times = AuthContact.Times(probeMilliseconds: 20, patienceMilliseconds: 400)

  /// Waits for a condition; false after ten seconds.
  @Loop private func eventually(_ condition: () -> Bool) async -> Bool {
    for _ in 0..<1_000 {
      if condition() { return true }
      await Loop.sleep(milliseconds: 10)
    }
    return false
  }

  @Loop private func configuration(_ port: UInt16) -> Configuration {
    var configuration = Configuration(
      baseURL: BaseURL("http://localhost:8000")!, clientID: "app", clientSecret: "s")
    configuration.authURL = "http://127.0.0.1:\(port)"
    return configuration
  }

  @Test func silenceForLongIsAReasonAndAnAnswerEndsIt() async throws {
    try await onLoop {
      let status = Box(503)
      let auth = try Server(Server.Configuration(host: "127.0.0.1", port: 0)) {
        #expect($0.head.target == "/.well-known/openid-configuration")
        _ = await $0.respond(status.value, [:], body: Array("{}".utf8))
      }
      let upstream = UpstreamMetrics()
      let contact = try AuthContact(configuration(auth.port), upstream: upstream, times: times)
      #expect(contact.problem == nil, "a fresh start is ready")
      #expect(await eventually { contact.problem?.contains("not reached") == true })
      status.value = 404  // an answer is contact, whatever it says
      #expect(await eventually { contact.problem == nil })
      auth.close()
      #expect(await eventually { contact.problem != nil })
      contact.close()
    }
  }

  @Test func nobodyIsAskedWhileOthersHaveContact() async throws {
    try await onLoop {
      let asked = Box(0)
      let auth = try Server(Server.Configuration(host: "127.0.0.1", port: 0)) {
        asked.value += 1
        _ = await $0.respond(200, [:])
      }
      let upstream = UpstreamMetrics()
      let slow = AuthContact.Times(probeMilliseconds: 60_000, patienceMilliseconds: 1)
      let contact = try AuthContact(configuration(auth.port), upstream: upstream, times: slow)
      #expect(await eventually { contact.problem != nil })
      upstream.began(.auth)
      upstream.answered(.auth, 200, since: Loop.clockMicroseconds)
      #expect(contact.silenceMilliseconds < 60_000)
      #expect(asked.value == 0)
      contact.close()
      auth.close()
    }
  }
}

@Suite struct OperationsTests {
  /// What the listener of operations answers.
  @Loop private func answer(
    _ operations: Operations, _ path: String
  ) async throws -> (status: Int, body: String) {
    let server = try Server(Server.Configuration(host: "127.0.0.1", port: 0)) {
      await operations.handle($0)
    }
    defer { server.close() }
    var configuration = HTTPClient.Configuration()
    configuration.allowPlainHTTP = true
    configuration.allowAnyAddress = true
    let (head, body) = try await HTTPClient(configuration).fetch(
      TransferRequest("GET", "http://127.0.0.1:\(server.port)\(path)"), limit: 1 << 20)
    return (head.status, String(decoding: body, as: UTF8.self))
  }

  @Loop private func operations(_ bed: GatewayBed, patience: UInt64) throws -> Operations {
    try Operations(
      bed.gateway, audit: bed.audit, version: "1.2.3",
      times: AuthContact.Times(probeMilliseconds: 60_000, patienceMilliseconds: patience)
    ) { ServiceFacts(connections: 7, acceptedConnections: 9, certificateExpiry: nil) }
  }

  @Test func readinessFollowsAuthAndTheEnd() async throws {
    try await onLoop {
      let bed = try GatewayBed()
      defer { bed.close() }
      let patient = try operations(bed, patience: 60_000)
      #expect(try await answer(patient, "/readyz") == (200, "ready\n"))
      let impatient = try operations(bed, patience: 0)
      await Loop.sleep(milliseconds: 2)
      let silent = try await answer(impatient, "/readyz")
      #expect(silent.status == 503 && silent.body.hasPrefix("Globus Auth was not reached for "))
      let metrics = try await answer(impatient, "/metrics").body
      for line in ["ready 0", "connections 7", "connections_accepted_total 9"] {
        #expect(metrics.contains("\nglobus_s3_frontend_\(line)\n"))
      }
      #expect(!metrics.contains("tls_certificate"))
      patient.isClosing = true
      #expect(try await answer(patient, "/readyz") == (503, "the service is closing\n"))
      #expect(try await answer(patient, "/healthz") == (200, "ok\n"))
      impatient.isClosing = true
    }
  }
}

@Loop private final class Box {
  var value: Int
  init(_ value: Int) { self.value = value }
}
