// Metrics: what the gateway has answered, counted for /metrics.
//
// Labels name actions and statuses, never a person or collection: a series for each action that was
// asked for (`Action` knows a hundred) and each status that it had, however many people ask.

import Audit
import Reactor

@Loop final class Metrics {
  /// What is counted of one action.
  private final class Operation {
    let name: String
    /// Few: an action has one to five of them.
    var statuses: [(status: Int, count: Int)] = []
    var duration = Histogram()
    var firstByte = Histogram()

    init(_ name: String) { self.name = name }

    func count(_ status: Int) {
      if let index = statuses.firstIndex(where: { $0.status == status }) {
        statuses[index].count += 1
      } else {
        statuses.append((status, 1))
      }
    }
  }

  private var operations: [String: Operation] = [:]
  /// The one that was last counted: most requests are like the one before.
  private var last = Operation("")
  private var bytesIn: UInt64 = 0
  private var bytesOut: UInt64 = 0
  private var unfinished: (clientAbort: Int, timeout: Int, aborted: Int) = (0, 0, 0)
  /// Broken downloads that were gone on with, and that were not.
  private(set) var resumes: (done: Int, refused: Int) = (0, 0)
  var inFlight = 0
  /// Reloads that were done, and that were refused.
  var reloads = [0, 0]
  /// Connections that were reset for want of a PROXY header.
  var refusedConnections = 0
  let upstream = UpstreamMetrics()

  /// Counts an answered request that started at `start` on the loop's clock.
  func count(operation name: String, _ sent: Sent, since start: UInt64, _ trace: UpstreamTrace) {
    let operation = operation(name)
    operation.count(sent.status)
    operation.duration.observe(microseconds: sent.end - min(start, sent.end))
    if let first = sent.firstByte {
      operation.firstByte.observe(microseconds: first - min(start, first))
    }
    bytesIn += sent.bytesIn
    bytesOut += sent.bodyBytes
    resumes.done += trace.resumes
    resumes.refused += trace.refusedResumes
    switch sent.outcome {
    case .complete: break
    case .clientGone: unfinished.clientAbort += 1
    case .timeout: unfinished.timeout += 1
    case .aborted: unfinished.aborted += 1
    }
  }

  private func operation(_ name: String) -> Operation {
    if last.name == name { return last }
    if let known = operations[name] {
      last = known
    } else {
      last = Operation(name)
      operations[name] = last
    }
    return last
  }

  func write(to text: inout MetricsText) {
    let operations = operations.values.sorted { $0.name < $1.name }
    text.family("requests_total", "counter", "Requests by action and status; 0: no answer.")
    for operation in operations {
      for (status, count) in operation.statuses.sorted(by: { $0.status < $1.status }) {
        text.sample(
          "requests_total", [("operation", operation.name), ("status", "\(status)")], count)
      }
    }
    text.family(
      "request_duration_seconds", "histogram",
      "From a request's head to the last byte of its answer.")
    for operation in operations {
      operation.duration.write("request_duration_seconds", "operation", operation.name, to: &text)
    }
    text.family(
      "time_to_first_byte_seconds", "histogram", "From a request's head to the head of its answer.")
    for operation in operations {
      operation.firstByte.write(
        "time_to_first_byte_seconds", "operation", operation.name, to: &text)
    }
    text.family(
      "requests_unfinished_total", "counter", "Answers that ended early, by who ended them.")
    for (outcome, count) in [
      ("client_abort", unfinished.clientAbort), ("timeout", unfinished.timeout),
      ("aborted", unfinished.aborted),
    ] {
      text.sample("requests_unfinished_total", [("outcome", outcome)], count)
    }
    text.single("request_bytes_total", "counter", "Body bytes read from clients.", bytesIn)
    text.single("response_bytes_total", "counter", "Body bytes handed to clients.", bytesOut)
    text.single("requests_in_flight", "gauge", "Requests that are being answered.", inFlight)
    text.family(
      "resumes_total", "counter", "Downloads that broke upstream, by whether they went on.")
    text.sample("resumes_total", [("result", "resumed")], resumes.done)
    text.sample("resumes_total", [("result", "refused")], resumes.refused)
    text.single(
      "proxy_headers_refused_total", "counter", "Connections without a usable PROXY header.",
      refusedConnections)
    text.family("reloads_total", "counter", "Reloads that an operator asked for.")
    for (result, count) in zip(["done", "refused"], reloads) {
      text.sample("reloads_total", [("result", result)], count)
    }
    upstream.write(to: &text)
  }
}

extension Sent {
  /// When the answer was over, on the loop's clock.
  @Loop var end: UInt64 {
    max(lastByteMicroseconds, outcome == .complete ? 0 : Loop.clockMicroseconds)
  }

  /// When its head went out; nil: it did not.
  var firstByte: UInt64? { firstByteMicroseconds > 0 ? firstByteMicroseconds : nil }
}
