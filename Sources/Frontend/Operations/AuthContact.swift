// AuthContact: whether Globus Auth can be reached, for /readyz.
//
// Any answer of Auth's that is not its own failure is contact, a user's sign-in as well as a look
// at its public configuration, which is taken when there was no contact for a while. The start
// counts as contact: a fresh server is ready until Auth was silent for as long as that of any other.

import Reactor

@Loop final class AuthContact {
  struct Times: Sendable {
    /// Without contact for so long, Auth is asked.
    var probeMilliseconds = GlobusLimits.authProbeMilliseconds
    /// Without contact for so long, the service is not ready.
    var patienceMilliseconds = GlobusLimits.authPatienceMilliseconds
  }

  private let upstream: UpstreamMetrics
  private var http: HTTPClient
  private let url: String
  private let times: Times
  private let started = Loop.clockMicroseconds
  private var probing: Task<Void, Never>?

  init(
    _ configuration: Configuration, upstream: UpstreamMetrics, times: Times = Times()
  ) throws(ReactorError) {
    self.upstream = upstream
    self.times = times
    url = "\(configuration.authURL)/.well-known/openid-configuration"
    http = try HTTPClient(.service(at: configuration.authURL, configuration, maxActive: 1))
    probing = Loop.start { [weak self, times] in
      while await Loop.sleep(milliseconds: times.probeMilliseconds / 2) {
        guard let self else { return }
        if self.silenceMilliseconds >= times.probeMilliseconds { await self.probe() }
      }
    }
  }

  /// From now on Auth is asked with this trust.
  func reconfigure(_ configuration: Configuration) {
    // One that can't be made was refused with the gateway's own.
    if let client = try? HTTPClient(
      .service(at: configuration.authURL, configuration, maxActive: 1))
    {
      http = client
    }
  }

  /// Ends the probes.
  func close() { probing?.cancel() }

  /// Since the last contact.
  var silenceMilliseconds: UInt64 {
    (Loop.clockMicroseconds - (upstream.lastAnswer(of: .auth) ?? started)) / 1_000
  }

  /// Why the service is not ready; nil: Auth is there.
  var problem: String? {
    let silence = silenceMilliseconds
    guard silence > times.patienceMilliseconds else { return nil }
    return "Globus Auth was not reached for \(silence / 1_000) seconds: nobody can sign in"
  }

  private func probe() async {
    var request = TransferRequest("GET", url, headers: ["Accept": "application/json"])
    request.connectTimeoutMilliseconds = GlobusLimits.connectMilliseconds
    request.firstByteTimeoutMilliseconds = GlobusLimits.authProbeTimeoutMilliseconds
    // How it ended is counted.
    _ = try? await http.fetch(request, limit: GlobusLimits.documentBytes, upstream, .auth)
  }
}
