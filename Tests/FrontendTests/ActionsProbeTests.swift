import Reactor
import Testing

@testable import Frontend

@Suite(.onLoop) struct ActionsProbeTests {
  @Loop private func bed() throws -> GatewayBed {
    let bed = try GatewayBed()
    bed.addFile("/a.txt", size: 10)
    bed.collection.files["/dir"] = FileStatus(
      kind: .directory, size: 4096, modified: GatewayBed.modified)
    bed.addFile("/b.txt", size: 0)
    return bed
  }

  @Test(arguments: [
    ("acl", 200, "<Permission>FULL_CONTROL</Permission>"), ("tagging", 200, "<TagSet></TagSet>"),
    ("legal-hold", 400, "<Code>InvalidRequest</Code>"),
    ("retention", 400, "<Code>InvalidRequest</Code>"),
  ])
  @Loop func whatAnObjectHas(_ probe: String, _ status: Int, _ text: String) async throws {
    let bed = try bed()
    defer { bed.close() }
    let answer = try await bed.ask("GET", "/a.txt", query: probe)
    #expect(answer.status == status && answer.body.contains(text))
    #expect(bed.collection.asked == ["stat /a.txt"])
    for path in ["/missing", "/dir", "/a.txt/"] {
      let answer = try await bed.ask("GET", path, query: probe)
      #expect(answer.status == 404 && answer.code == "NoSuchKey", "\(path)")
      #expect(try bed.row(answer)["object_key"] == String(path.dropFirst()))
    }
    #expect(try await bed.ask("GET", "/dir/", query: probe).status == status)
  }

  @Test @Loop func theACLOfAnObjectThatIsThereIsKept() async throws {
    let bed = try bed()
    defer { bed.close() }
    let canned: Headers = ["x-amz-acl": "private"]
    #expect(try await bed.ask("PUT", "/a.txt", query: "acl", canned).status == 200)
    #expect(try await bed.ask("PUT", "/missing", query: "acl", canned).code == "NoSuchKey")
    #expect(try await bed.ask("PUT", "", query: "acl", canned).status == 200)
  }

  @Test @Loop func attributesAreThoseAskedFor() async throws {
    let bed = try bed()
    defer { bed.close() }
    let etag = try #require(try await bed.ask("HEAD", "/a.txt").headers["ETag"])
    let answer = try await bed.ask(
      "GET", "/a.txt", query: "attributes",
      ["x-amz-object-attributes": "ETag, Checksum", "X-Amz-Object-Attributes": "ObjectSize"])
    #expect(
      answer.body.hasSuffix(
        "<ETag>\(etag.dropFirst().dropLast())</ETag><ObjectSize>10</ObjectSize>"
          + "</GetObjectAttributesResponse>"))
    #expect(answer.headers["Last-Modified"] == "Sun, 06 Nov 1994 08:49:37 GMT")
    for asked in ["", "Etag", "ETag,Owner"] {
      let answer = try await bed.ask(
        "GET", "/a.txt", query: "attributes", ["x-amz-object-attributes": asked])
      #expect(answer.status == 400 && answer.code == "InvalidArgument", "\(asked)")
    }
    let folder = try await bed.ask(
      "GET", "/dir/", query: "attributes", ["x-amz-object-attributes": "ObjectSize"])
    #expect(folder.body.contains("<ObjectSize>0</ObjectSize>"))
  }

  @Test @Loop func versionsAreTheListingOfOneFolder() async throws {
    let bed = try bed()
    defer { bed.close() }
    let first = try await bed.ask("GET", "/", query: "delimiter=%2F&max-keys=2&versions")
    #expect(first.body.contains("<NextKeyMarker>b.txt</NextKeyMarker>"))
    #expect(first.body.contains("<NextVersionIdMarker>null</NextVersionIdMarker>"))
    #expect(first.body.contains("<Key>a.txt</Key><VersionId>null</VersionId>"))
    let rest = try await bed.ask(
      "GET", "/", query: "delimiter=%2F&key-marker=b.txt&version-id-marker=null&versions")
    #expect(rest.body.contains("<CommonPrefixes><Prefix>dir/</Prefix></CommonPrefixes>"))
    #expect(rest.body.contains("</ListVersionsResult>") && !rest.body.contains("<Version>"))
    #expect(try bed.row(rest)["operation"] == "ListObjectVersions")
  }

  @Test @Loop func aListingLooksOnlySoFarForWhatFollows() async throws {
    let bed = try bed()
    defer { bed.close() }
    let folder = bed.collection.files["/dir"]
    var path = "/d"
    var keys: [String] = []
    for _ in 0...Limits.listedLevels {
      bed.collection.files[path] = folder
      keys.append(String(path.dropFirst()))
      path += "/d"
    }
    for (key, isListed) in [(keys[Limits.listedLevels - 1], false), (keys.last!, true)] {
      let answer = try await bed.ask("GET", "/", query: "delimiter=%2F&marker=\(key)%2Fz")
      #expect(answer.body.contains("<Prefix>d/</Prefix>") == isListed, "\(key)")
    }
    #expect(bed.collection.asked.count == 2 * (Limits.listedLevels + 1))
    bed.addFile("/d/zz", size: 0)
    let more = try await bed.ask("GET", "/", query: "delimiter=%2F&marker=d%2Fz")
    #expect(more.body.contains("<Prefix>d/</Prefix>"))
    bed.collection.deniedFolder = "/d"
    let denied = try await bed.ask("GET", "/", query: "delimiter=%2F&marker=d%2Fzzz")
    #expect(denied.status == 200 && denied.body.contains("<Prefix>d/</Prefix>"))
  }

  @Test @Loop func conditionsAreListsOnOneLine() async throws {
    let bed = try bed()
    defer { bed.close() }
    let etag = try #require(try await bed.ask("HEAD", "/a.txt").headers["ETag"])
    let answer = try await bed.ask(
      "HEAD", "/a.txt", ["If-None-Match": "\"x\", \(etag)"])
    #expect(answer.status == 304 && answer.headers["Content-Length"] == nil)
    let two = try await bed.ask(
      "GET", "/a.txt", ["If-None-Match": "\"x\"", "if-none-match": etag])
    #expect(two.status == 400 && two.body.contains("<Code>BadRequest</Code>"))
    let failed = try await bed.ask("GET", "/a.txt", ["If-Match": "\"x\", \"y\""])
    #expect(failed.status == 412 && failed.headers["ETag"] == etag)
    #expect(failed.body.contains("<Condition>If-Match</Condition>"))
  }
}
