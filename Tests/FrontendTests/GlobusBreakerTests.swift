// When a collection's server that can't be reached is left alone, and when it is asked again.

import Reactor
import Testing

@testable import Frontend

@Suite struct GlobusBreakerTests {
  init() { Loop.runInBackground() }

  @Loop private final class Clock {
    var now: UInt64 = 1
  }

  @Test @Loop func aFewFailuresInARowOpenItAndASuccessClosesIt() {
    let clock = Clock()
    let breaker = Breaker { clock.now }
    for _ in 0..<GlobusLimits.breakerFailures {
      #expect(breaker.admits("a"))
      breaker.notReached("a")
    }
    #expect(!breaker.admits("a") && breaker.admits("b"))
    clock.now += GlobusLimits.breakerMicroseconds
    // One tries; the others are refused until its end is known, or the next one's turn comes.
    #expect(breaker.admits("a"))
    #expect(!breaker.admits("a"))
    breaker.notReached("a")
    #expect(!breaker.admits("a"))
    clock.now += GlobusLimits.breakerMicroseconds
    #expect(breaker.admits("a"))
    breaker.reached("a")
    for _ in 0..<3 { #expect(breaker.admits("a")) }
  }

  @Test @Loop func aSuccessInBetweenBeginsTheCountAnew() {
    let breaker = Breaker { 1 }
    for _ in 0..<3 {
      for _ in 1..<GlobusLimits.breakerFailures { breaker.notReached("a") }
      #expect(breaker.admits("a"))
      breaker.reached("a")
    }
  }

  @Test @Loop func theServersRememberedHaveALimit() {
    let breaker = Breaker { 1 }
    for _ in 0..<GlobusLimits.breakerFailures { breaker.notReached("a") }
    for number in 1..<GlobusLimits.breakerHosts { breaker.notReached("\(number)") }
    #expect(!breaker.admits("a"))
    breaker.notReached("one more")
    #expect(breaker.admits("a"))
  }

  /// A client whose collection's server is a port at which nobody listens.
  @Test func aClosedPortIsNotAskedByEverybody() async throws {
    try await onLoop {
      let folder = try TemporaryFolder()
      let tls = try folder.identity("localhost")
      let closed = try ClosedPort()
      var configuration = Configuration(
        baseURL: BaseURL("http://localhost:8000")!, clientID: "app", clientSecret: "s")
      configuration.upstreamCA = tls.caFile
      configuration.allowPrivateUpstream = ["127.0.0.0/8", "::1/128"]
      let clock = Clock()
      let metrics = UpstreamMetrics()
      let client = try DataServerClient(
        configuration, metrics: metrics, breaker: Breaker { clock.now })
      let grant = CollectionGrant(
        collection: CollectionID("1b6d2c9e-0000-4000-8000-00000000aaaa")!,
        httpsHost: "localhost:\(closed.number)", https: Token(secret: Secret("AgH"), expiresAt: 1))
      @Loop func calls() async -> Int {
        let trace = UpstreamTrace()
        do throws(GlobusError) {
          _ = try await client.read(
            "/x", range: nil, over: .any, by: DataServerAccess(grant), trace: trace)
          Issue.record("nobody listens")
        } catch {
          guard case .unavailable = error else {
            Issue.record("\(error)")
            return 0
          }
        }
        return trace.calls
      }
      for _ in 0..<GlobusLimits.breakerFailures {
        #expect(await calls() == 1 + GlobusLimits.readRetries)
      }
      #expect(await calls() == 0)
      clock.now += GlobusLimits.breakerMicroseconds
      #expect(await calls() > 0)
      #expect(await calls() == 0)
      let made = (GlobusLimits.breakerFailures + 1) * (1 + GlobusLimits.readRetries)
      var text = MetricsText()
      metrics.write(to: &text)
      #expect(
        text.text.contains(
          "upstream_failures_total{service=\"collection\",reason=\"connect\"} \(made)\n"))
      #expect(text.text.contains("upstream_waiting{service=\"collection\"} 0\n"))
      withExtendedLifetime(closed) {}
    }
  }

  @Test func whatTookAllTheTimeIsNotTriedAgain() {
    var retries = Retries(limit: 3)
    #expect(retries.pause(after: .notReached(inTime: true)) != nil)
    #expect(retries.pause(after: .notReached(inTime: false)) == nil)
  }
}
