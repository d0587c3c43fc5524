// How the frontend's three clients connect, by whom they talk to.
//
// The operator names Auth and Transfer, so their addresses are not doubted; a collection's server
// is named by whoever owns the collection, so only public addresses and those that the operator
// allows are connected to.

import Reactor

extension HTTPClient.Configuration {
  private static func common(_ configuration: Configuration) -> HTTPClient.Configuration {
    var client = HTTPClient.Configuration()
    client.caFile = configuration.upstreamCA
    client.userAgent = "globus-s3-frontend"
    return client
  }

  /// For Auth or Transfer at `url`. A loopback one is spoken to directly, and may lack TLS.
  static func service(
    at url: String, _ configuration: Configuration, maxActive: UInt32
  ) -> HTTPClient.Configuration {
    var client = common(configuration)
    let base = BaseURL(url)
    let isLoopback = base?.isLoopback ?? false
    client.allowAnyAddress = true
    client.allowPlainHTTP = isLoopback
    client.useEnvironmentProxy = !isLoopback
    client.maxActive = maxActive
    client.maxUnansweredPerHost = maxActive
    return client
  }

  /// For the HTTPS servers of collections.
  static func collections(_ configuration: Configuration) -> HTTPClient.Configuration {
    var client = common(configuration)
    client.allowedNetworks = configuration.allowPrivateUpstream
    client.maxActive = GlobusLimits.dataTransfers
    return client
  }
}

extension BaseURL {
  /// `localhost` or an address of 127/8.
  var isLoopback: Bool {
    let labels = host.split(separator: ".")
    return host == "localhost"
      || labels.count == 4 && labels[0] == "127" && labels.allSatisfy { UInt8($0) != nil }
  }
}

extension GlobusError {
  /// A call that got no answer.
  init(_ error: TransferError, from server: String) {
    self =
      error.code == .addressRefused
      ? .addressRefused(error.message) : .unavailable("\(server): \(error)")
  }
}

extension UpstreamTrace {
  /// A call to Auth or Transfer. It names the upstream unless a collection's server does.
  func asks(_ service: String) {
    calls += 1
    host = host ?? service
  }

  /// A call to a collection's server, which is what a row of the audit names first.
  func reads(_ server: String) {
    calls += 1
    host = server
    status = nil
  }

  func answered(_ status: Int, by server: String) {
    if host == server { self.status = status }
  }
}
