// Buckets: which there are, and what making and removing one means where buckets are collections.

enum Buckets {
  /// ListBuckets: the collections that the credential opens, since when it does.
  static func list(_ credential: Credential) -> Reply {
    var xml = XML()
    xml.document("ListAllMyBucketsResult") { xml in
      xml.element("Owner") { xml in
        xml.element("ID", credential.identity.description)
        xml.element("DisplayName", credential.username)
      }
      xml.element("Buckets") { xml in
        for name in credential.collections.map(\.collection.description).sorted() {
          xml.element("Bucket") { xml in
            xml.element("Name", name)
            xml.element("CreationDate", HTTPDate.formatISO(credential.issuedAt))
          }
        }
      }
    }
    return .document(xml)
  }

  /// CreateBucket on a collection that the credential opens: it is there already.
  static func create(_ id: CollectionID) -> Reply {
    Reply(status: 200, headers: ["Location": "/\(id)"])
  }

  /// ListMultipartUploads: there are never any. Throws InvalidArgument.
  static func uploads(_ id: CollectionID, _ query: Query) throws(S3Error) -> Reply {
    let most = query["max-uploads"].flatMap { $0.isEmpty ? nil : $0 } ?? "\(Limits.listedKeys)"
    guard let number = Int(most), 0...Int(Int32.max) ~= number else {
      throw S3Error(
        .invalidArgument, "max-uploads must be a number from 0 to 2147483647.",
        details: [("ArgumentName", "max-uploads")])
    }
    let encodes = query["encoding-type"] == "url"
    let echo = { (name: String) in
      let text = query[name] ?? ""
      return encodes ? PercentEncoding.path(text) : text
    }
    var xml = XML()
    xml.document("ListMultipartUploadsResult") { xml in
      xml.element("Bucket", id.description)
      xml.element("KeyMarker", echo("key-marker"))
      xml.element("UploadIdMarker", query["upload-id-marker"] ?? "")
      xml.element("Prefix", echo("prefix"))
      if query.contains("delimiter") { xml.element("Delimiter", echo("delimiter")) }
      xml.element("MaxUploads", "\(min(number, Limits.listedKeys))")
      if encodes { xml.element("EncodingType", "url") }
      xml.element("IsTruncated", "false")
    }
    return .document(xml)
  }
}
