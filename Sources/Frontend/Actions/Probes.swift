// Probes: what is answered to questions about a bucket or an object other than for its bytes.
//
// Those about an object ask Globus for it first: what does not exist has no properties either.

import Reactor

enum Probes {
  static func answer(_ probe: Probe) throws(S3Error) -> Reply {
    switch probe {
    case .refused(let error): throw error
    case .document(let write):
      var xml = XML()
      write(&xml)
      return .document(xml)
    }
  }

  @Loop static func answer(
    _ probe: Probe, about request: ObjectRequest
  ) async throws(S3Error) -> Reply {
    try request.requireKind(of: try await request.stat())
    return try answer(probe)
  }

  /// PutObjectAcl of what the object has.
  @Loop static func keepACL(of request: ObjectRequest) async throws(S3Error) -> Reply {
    try request.requireKind(of: try await request.stat())
    return Reply(status: 200)
  }
}

/// GetObjectAttributes, as far as `stat` knows them; there are no checksums and no parts.
enum GetObjectAttributes {
  /// `header` is that of x-amz-object-attributes. Throws InvalidArgument before anybody is asked.
  @Loop static func run(
    _ request: ObjectRequest, asked header: String?
  ) async throws(S3Error) -> Reply {
    let asked = try attributes(header ?? "")
    let file = try await request.stat()
    try request.requireKind(of: file)
    let etag = request.etag(of: file).description
    var xml = XML()
    xml.document("GetObjectAttributesResponse") { xml in
      if asked.contains("ETag") { xml.element("ETag", "\(etag.dropFirst().dropLast())") }
      if asked.contains("StorageClass") { xml.element("StorageClass", "STANDARD") }
      if asked.contains("ObjectSize") { xml.element("ObjectSize", "\(request.size(of: file))") }
    }
    var reply = Reply.document(xml)
    reply.headers.add("Last-Modified", HTTPDate.format(file.modified))
    return reply
  }

  private static let known: Set<Substring> = [
    "ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize",
  ]

  private static func attributes(_ header: String) throws(S3Error) -> [Substring] {
    let asked = header.split { $0 == "," || $0 == " " }
    guard !asked.isEmpty, asked.allSatisfy(known.contains) else {
      throw S3Error(
        .invalidArgument,
        "The header x-amz-object-attributes must name some of "
          + "\(known.sorted().joined(separator: ", ")).",
        details: [("ArgumentName", "x-amz-object-attributes")])
    }
    return asked
  }
}

extension Reply {
  /// 200 with one of S3's documents.
  static func document(_ xml: XML) -> Reply {
    Reply(status: 200, headers: ["Content-Type": "application/xml"], body: .bytes(xml.bytes))
  }
}
