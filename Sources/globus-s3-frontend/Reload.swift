// Reload: what a running service takes over when its files have changed.
//
// All or nothing: everything new is made, and may be refused, before anything of it holds. Requests
// in flight end as they began: under the gateway, the keys and the certificate of their start.

import Frontend
import Reactor

extension ServicePlan {
  /// The flags that a running service takes over. Of the others a change is said and waits.
  static let reloadable = Set<String>([
    "signatures", "key-file", "tls-cert", "tls-key", "trusted-proxy", "proxy-protocol",
    "client-secret-file",
    "upstream-ca", "allow-private-upstream", "shutdown-grace", "log-format",
  ])
  .union(LimitFlags.names)

  /// What holds once `next` was asked for, and the flags whose change waits for a restart.
  func changed(to next: ServicePlan) -> (plan: ServicePlan, waiting: [String]) {
    var plan = self
    plan.frontend = next.frontend
    plan.frontend.baseURL = frontend.baseURL
    plan.frontend.clientID = frontend.clientID
    plan.shutdownGraceSeconds = next.shutdownGraceSeconds
    plan.logFormat = next.logFormat
    plan.serverLimits = next.serverLimits
    var waiting = Set(settings.keys.filter { settings[$0] != next.settings[$0] })
      .subtracting(Self.reloadable)
    // Files may be others, but there must be some or none as before: a listener that turns to TLS
    // has another base URL, and a key that was made for this process can't be kept.
    if (tls == nil) == (next.tls == nil) {
      plan.tls = next.tls
    } else {
      waiting.formUnion(["tls-cert", "tls-key"])
    }
    if (keyFile == nil) == (next.keyFile == nil) {
      plan.keyFile = next.keyFile
    } else {
      waiting.insert("key-file")
    }
    plan.settings = next.settings
    for name in waiting { plan.settings[name] = settings[name] }
    return (plan, waiting.sorted())
  }
}

extension Service {
  /// Lets hold what `planAnew` gives, with files read again; or says why not, and nothing changes.
  func reload(_ planAnew: () throws(ConfigurationError) -> ServicePlan) {
    do {
      let (plan, waiting) = running.changed(to: try planAnew())
      let keyring = try plan.keyring() ?? keyring
      let identity = try plan.identity()
      let gateway = try gateway?.successor(plan.frontend, keyring: keyring)

      for (server, address) in zip(servers, plan.listen) {
        try server.reconfigure(plan.configuration(of: address), tls: identity)
      }
      self.gateway = gateway
      if let gateway { operations?.gateway = gateway }
      self.keyring = keyring
      let isOtherwise = plan.frontend.signatures != running.frontend.signatures
      self.identity = identity
      running = plan
      logForm.format = plan.logFormat
      gateway?.countReload(isRefused: false)
      logger.notice("reloaded")
      if isOtherwise { warnOfSignatures() }
      if !waiting.isEmpty {
        logger.warning(
          "settings have changed that need a restart",
          metadata: ["flags": "\(waiting.map { "--" + $0 }.joined(separator: " "))"])
      }
    } catch {
      gateway?.countReload(isRefused: true)
      logger.error("not reloaded, all stays as it was: \(error)")
    }
  }
}
