// serve: the frontend for the real Globus, as the operator configures it.

import ArgumentParser
import FoundationEssentials
import Frontend
import Logging
import Reactor

struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve S3 for Globus collections.",
    discussion: """
      Each flag is also an environment variable (--audit-db is GLOBUS_S3_AUDIT_DB) and a line \
      'flag = value' in the file given with --config; the command line goes before the \
      environment, the environment before the file. The app's id and secret come from \
      GLOBUS_CLIENT_ID and GLOBUS_CLIENT_SECRET; register its redirect URL as BASE-URL/?auth-callback.
      """)

  @OptionGroup var flags: ServeFlags

  func run() throws {
    let plan = try flags.plan(environment: ProcessInfo.processInfo.environment)
    let status = Loop.run { await serve(plan) }
    if status != 0 { throw ExitCode(status) }
  }
}

/// Runs until SIGINT or SIGTERM.
@Loop private func serve(_ plan: ServicePlan) async -> Int32 {
  do {
    let interrupted = Interruption()
    let service = try Service(plan)
    for (server, address) in zip(service.servers, plan.listen) {
      let listening = ListenAddress(host: address.host, port: server.port)
      plan.logger.notice("listening", metadata: ["address": "\(listening)"])
    }
    await interrupted.wait()
    await service.close(interrupted)
    return 0
  } catch {
    writeErrorLine("globus-s3-frontend: \(error.message)")
    return error.code
  }
}

struct ServeFlags: ParsableArguments {
  @Option(help: "Where to listen, HOST:PORT; repeatable. (default: 127.0.0.1:8000)")
  var listen: [String] = []
  @Option(help: "What users and the OAuth redirect use. (default: http://localhost:8000)")
  var baseUrl: [String] = []
  @Option(help: "The Globus app's id. (default: $GLOBUS_CLIENT_ID)")
  var clientId: [String] = []
  @Option(help: "File with the app's secret. (default: $GLOBUS_CLIENT_SECRET)")
  var clientSecretFile: [String] = []
  @Option(help: "The audit database. (default: globus-s3-frontend/audit.db in the state folder)")
  var auditDb: [String] = []
  @Option(help: "Requests that can't be recorded: refuse or continue. (default: refuse)")
  var auditOnFailure: [String] = []
  @Option(help: "Days after which audit rows are pruned. (default: they are kept)")
  var auditRetention: [String] = []
  @Option(
    help: """
      Rows a minute and address for requests without a genuine credential; more are counted. \
      (default: 6000)
      """)
  var auditStrangersPerMinute: [String] = []
  @Option(help: "Signatures of header-signed requests: any or verify. (default: any)")
  var signatures: [String] = []
  @Option(help: "Keyring for sealing. (default: a random key that ends with the process)")
  var keyFile: [String] = []
  @Option(help: "Certificate chain, PEM; with --tls-key. (default: plain HTTP)")
  var tlsCert: [String] = []
  @Option(help: "Private key, PEM.")
  var tlsKey: [String] = []
  @Option(help: "Network whose X-Forwarded-For is believed, CIDR; repeatable.")
  var trustedProxy: [String] = []
  @Option(help: "Trust for Globus and collections, PEM. (default: the system's)")
  var upstreamCa: [String] = []
  @Option(help: "Private network where collections may be, CIDR; repeatable.")
  var allowPrivateUpstream: [String] = []
  @Option(help: "Where /healthz, /readyz and /metrics are served, HOST:PORT. (default: off)")
  var operationsListen: [String] = []
  @Option(help: "Log lines: text or json. (default: text)")
  var logFormat: [String] = []
  @Option(help: "File of lines 'flag = value'.")
  var config: String?
  @OptionGroup(title: "Limits") var limits: LimitFlags

  var given: [String: [String]] {
    [
      "listen": listen, "base-url": baseUrl, "client-id": clientId,
      "client-secret-file": clientSecretFile, "audit-db": auditDb,
      "audit-on-failure": auditOnFailure,
      "audit-retention": auditRetention,
      "audit-strangers-per-minute": auditStrangersPerMinute, "signatures": signatures,
      "key-file": keyFile,
      "tls-cert": tlsCert, "tls-key": tlsKey, "trusted-proxy": trustedProxy,
      "upstream-ca": upstreamCa, "allow-private-upstream": allowPrivateUpstream,
      "operations-listen": operationsListen, "log-format": logFormat,
    ].merging(limits.given) { own, _ in own }
  }
}
