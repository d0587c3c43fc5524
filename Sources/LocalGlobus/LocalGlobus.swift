// LocalGlobus: the stand-in as a whole: Auth and Transfer over plain HTTP, and for every collection
// an HTTPS server, on free ports of the loopback address only.
//
// The certificates are of an authority made for this instance; its certificate is in `caFile`.

import Crypto
import FoundationEssentials
import Reactor

/// Globus Auth, Transfer and collections' HTTPS servers over local folders.
@Loop public final class LocalGlobus {
  /// A collection as it is served.
  public struct CollectionInfo: Sendable {
    /// UUID, lower case.
    public let id: String
    public let directory: String
    public let displayName: String
    public let kind: LocalGlobusConfiguration.Collection.Kind
    public let highAssurance: Bool
    /// Base URL of its HTTPS server, without trailing slash; nil when it has none.
    public let httpsServer: String?
  }

  /// Base URL of Globus Auth, without trailing slash.
  public var authURL: String { deployment.authURL }
  /// Base URL of Transfer, without trailing slash and version.
  public var transferURL: String { deployment.transferURL }
  /// PEM file by which the collections' servers are trusted.
  public let caFile: String

  private let deployment: Deployment
  private var servers: [Server] = []

  /// Starts serving. Throws when a folder can't be read, an id is no UUID or is given twice, a port
  /// is taken or the work folder can't be written.
  public init(_ configuration: LocalGlobusConfiguration) throws {
    try LocalGlobus.check(configuration)
    deployment = Deployment(configuration)
    caFile = configuration.workDirectory + "/ca.pem"
    do {
      try start()
    } catch {
      close()
      throw error
    }
  }

  /// The collections in the order of the configuration.
  public var collections: [CollectionInfo] {
    deployment.hosted.map {
      CollectionInfo(
        id: $0.id, directory: $0.folder.root, displayName: $0.displayName,
        kind: $0.configuration.kind, highAssurance: $0.configuration.highAssurance,
        httpsServer: $0.httpsServer)
    }
  }

  /// Registers one more address that the app may be called back at.
  public func allowRedirect(to address: String) { deployment.redirectURIs.insert(address) }

  /// Stops listening; answers under way are finished.
  public func close() {
    for server in servers { server.close() }
    servers = []
  }

  private static func check(_ configuration: LocalGlobusConfiguration) throws(LocalGlobusError) {
    guard !configuration.users.isEmpty else {
      throw LocalGlobusError(message: "somebody has to be able to sign in")
    }
    var seen: Set<String> = []
    for collection in configuration.collections {
      guard UUID(uuidString: collection.id) != nil, collection.id == collection.id.lowercased()
      else { throw LocalGlobusError(message: "\(collection.id): not a UUID in lower case") }
      guard seen.insert(collection.id).inserted else {
        throw LocalGlobusError(message: "\(collection.id): given twice")
      }
    }
  }

  private func start() throws {
    let configuration = deployment.configuration
    let auth = AuthService(deployment: deployment)
    let faults = deployment.faults
    deployment.authURL = try listen(configuration.authPort) { exchange in
      await exchange.answer(faults.auth) { faults.control($0) ?? auth.answer($0) }
    }
    let transfer = TransferService(deployment: deployment)
    let latency = configuration.transferLatencyMilliseconds
    deployment.transferURL = try listen(configuration.transferPort) { exchange in
      if latency > 0 { guard await Loop.sleep(milliseconds: latency) else { return } }
      await exchange.answer(transfer.fault, by: transfer.answer)
    }
    do {
      try faults.set(json: configuration.faults)
    } catch {
      throw LocalGlobusError(message: "faults: \(error.message)")
    }
    let tls = try makeIdentity(in: configuration.workDirectory)
    for collection in configuration.collections {
      let folder = try LocalFolder(collection.directory)
      let service = DataService(
        deployment: deployment, collectionID: collection.id,
        behaviour: configuration.dataServerBehaviour)
      let server = try Server(
        Server.Configuration(host: "127.0.0.1", port: collection.port), tls: tls
      ) { await $0.answer(by: service) }
      servers.append(server)
      deployment.hosted.append(
        HostedCollection(
          configuration: collection, folder: folder,
          httpsServer: collection.kind == .connectPersonal
            ? nil : collection.httpsServer ?? "https://localhost:\(server.port)"))
    }
  }

  /// The base URL of a new plain HTTP server.
  private func listen(
    _ port: UInt16, handler: @escaping Server.Handler
  ) throws(ReactorError) -> String {
    let server = try Server(
      Server.Configuration(host: "127.0.0.1", port: port), handler: handler)
    servers.append(server)
    return "http://127.0.0.1:\(server.port)"
  }

  private func makeIdentity(in directory: String) throws -> TLSIdentity {
    let authority = try CertificateAuthority(name: "globus-s3-frontend local")
    let identity = try authority.issue(dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"])
    let certificateFile = directory + "/server.pem"
    let keyFile = directory + "/server.key"
    try write(authority.certificatePEM, to: caFile, mode: 0o644)
    try write(identity.certificatePEM, to: certificateFile, mode: 0o644)
    try write(identity.privateKeyPEM, to: keyFile, mode: 0o600)
    return try TLSIdentity(certificateFile: certificateFile, keyFile: keyFile)
  }

  private func write(_ text: String, to path: String, mode: Int) throws {
    try? FileManager.default.removeItem(atPath: path)
    guard
      FileManager.default.createFile(
        atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: mode])
    else { throw LocalGlobusError(message: "\(path): can't be written") }
  }
}
