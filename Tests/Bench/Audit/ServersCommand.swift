// The whole frontend twice in one process, on one loop: one records, the other does not. The product
// has no such switch; the second's spool has a single slot, which is taken, and it goes on
// unrecorded: all is as in the first but for the record itself, down to a count of what is missing.
//
// Prints what a load generator needs, then "ready"; serves until SIGTERM.

import ArgumentParser
import Audit
import FoundationEssentials
import Frontend
import Glibc
import LocalGlobus
import Reactor

struct ServersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "servers")

  @Argument(help: "A folder for everything.") var folder: String

  func run() throws {
    let folder = folder
    let status = Loop.run {
      do {
        let pair = try ServerPair(folder)
        var isEnding = false
        Loop.onSignal(SIGTERM) { isEnding = true }
        pair.announce()
        while !isEnding { await Loop.sleep(milliseconds: 100) }
        pair.close()
        return 0
      } catch {
        print("error=\(error)")
        return 1
      }
    }
    throw ExitCode(status)
  }
}

@Loop private final class ServerPair {
  private let globus: LocalGlobus
  private let logs: [AuditLog]
  private var servers: [Server] = []
  private var gateways: [Gateway] = []
  private let taken: AuditLog.Ticket?

  init(_ folder: String) throws {
    var collection = LocalGlobusConfiguration.Collection(
      id: "577ff845-9417-87d9-9178-83fafd31fb89", directory: folder, displayName: "bench")
    collection.kind = .mapped
    let local = LocalGlobusConfiguration(collections: [collection], workDirectory: folder)
    globus = try LocalGlobus(local)
    let unrecorded = try Self.unrecorded(folder + "/unrecorded.db")
    taken = unrecorded.ticket
    logs = [try openLog(folder + "/recorded.db"), unrecorded.log]
    for index in 0..<2 {
      servers.append(
        // Requests come in a later turn of the loop, when the gateways are there.
        try Server(.init(host: "127.0.0.1", port: 0)) { [self] in
          await gateways[index].handle($0)
        })
    }
    guard let url = BaseURL("http://localhost:\(servers[0].port)") else { return }
    var frontend = Configuration(
      baseURL: url, clientID: local.clientID, clientSecret: local.clientSecret)
    frontend.authURL = globus.authURL
    frontend.transferURL = globus.transferURL
    frontend.upstreamCA = globus.caFile
    frontend.allowPrivateUpstream = ["127.0.0.0/8"]
    let keyring = Keyring.random()
    for log in logs {
      gateways.append(try Gateway(frontend, keyring: keyring, audit: log, logger: makeLogger()))
    }
    globus.allowRedirect(to: "\(url)/?auth-callback")
  }

  /// A record that has no room from the start, and goes on.
  private static func unrecorded(
    _ path: String
  ) throws -> (log: AuditLog, ticket: AuditLog.Ticket?) {
    var options = AuditLog.Options(databasePath: path)
    options.spoolSlots = 1
    options.onFailure = .continue
    let log = try AuditLog(options, logger: makeLogger())
    var workload = Workload(keys: .walk)
    let now = AuditLog.wallMicroseconds()
    return (log, log.begin(workload.next(log.newRequest(nowMicroseconds: now), at: now)))
  }

  func announce() {
    print("recorded=http://localhost:\(servers[0].port)")
    print("unrecorded=http://localhost:\(servers[1].port)")
    print("collection=\(globus.collections[0].id)")
    print("ready")
    fflush(nil)
  }

  func close() {
    for server in servers { server.close() }
    for log in logs { log.close() }
    globus.close()
  }
}
