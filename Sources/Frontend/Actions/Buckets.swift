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
    return document(xml)
  }

  /// CreateBucket on a collection that the credential opens: it is there already.
  static func create(_ id: CollectionID) -> Reply {
    Reply(status: 200, headers: ["Location": "/\(id)"])
  }

  static func answer(_ probe: Probe) throws(S3Error) -> Reply {
    switch probe {
    case .notConfigured(let code): throw S3Error(code)
    case .document(let write):
      var xml = XML()
      write(&xml)
      return document(xml)
    }
  }

  private static func document(_ xml: XML) -> Reply {
    Reply(status: 200, headers: ["Content-Type": "application/xml"], body: .bytes(xml.bytes))
  }
}
