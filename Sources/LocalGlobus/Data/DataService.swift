// DataService: one collection's HTTPS server: files, not listings, in the manner of Globus Connect
// Server 5.4, which is Apache before GridFTP.
//
// What is odd about it is a switch of `DataServerBehaviour`. It gives neither Last-Modified nor
// ETag, and says of the data layer's errors only what GridFTP said, as text.

import Reactor

@Loop struct DataService {
  let deployment: Deployment
  let collectionID: String
  let behaviour: DataServerBehaviour

  /// What to answer: everything at hand, or a head and a part of a file to follow.
  enum Answer {
    case reply(Reply)
    case file(FileNode, Range<UInt64>, status: Int, Headers)
  }

  func answer(_ request: Request) -> Answer {
    guard let collection = deployment.collection(collectionID) else {
      return .reply(DataService.text(503, "The collection is starting"))
    }
    switch request.method {
    case "OPTIONS": return .reply(Reply(200, headers: DataService.headers))
    case "GET", "HEAD": break
    default:
      var reply = DataService.text(405, "Method not allowed")
      reply.headers.add("Allow", "HEAD, GET, OPTIONS")
      return .reply(reply)
    }
    if let refusal = refusal(request, collection) { return .reply(refusal) }
    do throws(FileError) {
      return try file(request, collection)
    } catch {
      return .reply(DataService.gridFTPReply(error))
    }
  }

  /// The fault that is due; it is used up by that.
  func fault(_ request: Request, connection: UInt32) -> FaultOccurrence? {
    let path = String(decoding: Percent.decode(request.path.utf8), as: UTF8.self)
    return deployment.faults.data(collection: collectionID, path: path, connection: connection)
  }

  private func file(
    _ request: Request, _ collection: HostedCollection
  ) throws(FileError) -> Answer {
    let path: CollectionPath
    do {
      path = try CollectionPath(percentEncoded: request.path)
    } catch {
      throw error == .notAllowed ? .notAllowed : .notFound
    }
    let handle = try collection.folder.open(path)
    let attributes = handle.attributes
    guard attributes.type != .dir else { return .reply(folder(request, isRoot: path == .root)) }
    guard attributes.type == .file else { throw .permissionDenied }
    let node = try handle.readable()
    var headers = DataService.headers
    if let type = MediaType.of(path.name ?? []) { headers.add("Content-Type", type) }
    if request.query["download"] != nil { headers.add("Content-Disposition", "attachment") }
    let size = UInt64(attributes.size)
    let range = request.method == "HEAD" ? .whole : ByteRange(request[header: "Range"])
    if case .whole = range { return .file(node, 0..<size, status: 200, headers) }
    if case .suffix = range, behaviour.refusesSuffixRanges { return .reply(unsatisfiable(size)) }
    guard let bytes = range.bytes(ofSize: size) else { return .reply(unsatisfiable(size)) }
    let total = behaviour.hidesTotal ? "*" : String(size)
    headers.add("Content-Range", "bytes \(bytes.lowerBound)-\(bytes.upperBound - 1)/\(total)")
    return .file(node, bytes, status: 206, headers)
  }

  /// A HEAD can't tell a folder from a file of the size that folders have on disk.
  private func folder(_ request: Request, isRoot: Bool) -> Reply {
    guard request.method == "HEAD" else {
      return DataService.gridFTPReply("IS_A_DIRECTORY", 21, "open", "Is a directory", status: 404)
    }
    var reply = Reply(200, headers: DataService.headers)
    reply.length = 4096
    if isRoot { reply.headers.add("Content-Type", "httpd/unix-directory") }
    return reply
  }

  private func unsatisfiable(_ size: UInt64) -> Reply {
    var reply = DataService.text(416, "Requested range not satisfiable")
    if !behaviour.hidesTotal { reply.headers.add("Content-Range", "bytes */\(size)") }
    return reply
  }

  static let server = "Apache/2.4.62 (Red Hat Enterprise Linux) OpenSSL/3.2.2"

  /// As captured from a collection, but for Strict-Transport-Security, by which a browser would
  /// call every other port of localhost by https.
  static let headers: Headers = [
    "Server": server, "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Requested-With, Range",
    "Access-Control-Allow-Methods": "HEAD, GET, PUT, DELETE, OPTIONS", "Accept-Ranges": "bytes",
  ]

  static func text(_ status: Int, _ text: String) -> Reply {
    var headers = headers
    headers.add("Content-Type", "text/plain; charset=utf-8")
    return Reply(status, headers: headers, body: Array((text + "\n").utf8))
  }

  private static func gridFTPReply(_ error: FileError) -> Reply {
    switch error {
    case .notFound, .notDirectory:
      gridFTPReply("PATH_NOT_FOUND", 2, "stat", "No such file or directory", status: 404)
    case .permissionDenied, .tooMany:
      gridFTPReply("PERMISSION_DENIED", 13, "open", "Permission denied", status: 403)
    case .notAllowed: text(403, "500 Command failed : Path not allowed.")
    case .system(let number):
      gridFTPReply("INTERNAL_ERROR", number, "stat", "System error", status: 404)
    }
  }

  private static func gridFTPReply(
    _ code: String, _ number: Int32, _ call: String, _ reason: String, status: Int
  ) -> Reply {
    text(
      status,
      """
      GlobusError: v=1 c=\(code)
      GridFTP-Errno: \(number)
      GridFTP-Reason: System error in \(call)
      GridFTP-Error-String: \(reason)
      """)
  }
}

/// Content types by file name, as Apache guesses them; nil for names that say nothing.
enum MediaType {
  private static let byExtension = [
    "html": "text/html", "htm": "text/html", "txt": "text/plain", "csv": "text/csv",
    "json": "application/json", "xml": "application/xml", "pdf": "application/pdf",
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "svg": "image/svg+xml",
    "gz": "application/x-gzip", "zip": "application/zip", "tar": "application/x-tar",
  ]

  static func of(_ name: [UInt8]) -> String? {
    guard let dot = name.lastIndex(of: UInt8(ascii: ".")) else { return nil }
    return byExtension[String(decoding: name[(dot + 1)...], as: UTF8.self).lowercased()]
  }
}
