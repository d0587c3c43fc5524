// SignInSnippets: what the page offers to copy, each as a tool takes it.
//
// Only the profile, the environment and the single values hold the credential. What goes into
// programs and notebooks names the profile, so that no secret is saved or shared along with them.

/// A block to copy.
struct Snippet: Sendable {
  /// Of the element that holds it.
  let id: String
  /// What it is, for its caption.
  let title: String
  let lines: [String]
  /// Whether a line feed ends the last line: for text that answers a program's questions.
  var endsLine = false

  var text: String { lines.joined(separator: "\n") + (endsLine ? "\n" : "") }
}

struct SignInSnippets: Sendable {
  private let keyID: String
  private let secret: String
  private let base: BaseURL
  private let buckets: [String]
  private var bucket: String { buckets.first ?? "" }

  init(_ result: SignedIn) {
    keyID = result.sealed.accessKeyID
    secret = result.sealed.secretAccessKey.value
    base = result.baseURL
    buckets = result.credential.collections.map(\.collection.description)
  }

  /// One command, so that a terminal that feeds pasted lines to the shell one by one does not feed
  /// the rest to the questions. `aws configure` makes new files 0600 but leaves old ones as they
  /// are.
  var terminal: Snippet {
    Snippet(
      id: "terminal", title: "Step 1: paste into a terminal, press Enter",
      lines: [
        "aws configure set region globus --profile globus &&",
        "aws configure set endpoint_url \(base) --profile globus &&",
        "aws configure --profile globus &&",
        "chmod 600 ~/.aws/config ~/.aws/credentials",
      ])
  }

  /// Answers to `aws configure`: key id, secret, region, output format.
  var answers: Snippet {
    Snippet(
      id: "answers", title: "Step 2: paste as the answers to its questions",
      lines: [keyID, secret, "globus", "json"], endsLine: true)
  }

  var settings: Snippet {
    Snippet(
      id: "settings", title: "~/.aws/config",
      lines: ["[profile globus]", "region = globus", "endpoint_url = \(base)"])
  }

  /// Not in the same file as the settings: DuckDB looks for keys only here.
  var keys: Snippet {
    Snippet(
      id: "keys", title: "~/.aws/credentials",
      lines: ["[globus]", "aws_access_key_id = \(keyID)", "aws_secret_access_key = \(secret)"])
  }

  var environment: Snippet {
    Snippet(
      id: "environment", title: "Environment variables",
      lines: [
        "export AWS_ACCESS_KEY_ID=\(keyID)", "export AWS_SECRET_ACCESS_KEY=\(secret)",
        "export AWS_ENDPOINT_URL=\(base)", "export AWS_REGION=globus",
        "export AWS_DEFAULT_REGION=globus",
      ])
  }

  var commands: Snippet {
    Snippet(
      id: "commands", title: "aws",
      lines: [
        "export AWS_PROFILE=globus", "aws s3 ls s3://\(bucket)/",
        "aws s3 cp s3://\(bucket)/path/to/file .",
      ])
  }

  var boto3: Snippet {
    Snippet(
      id: "boto3", title: "Python: boto3",
      lines: [
        "import boto3", "",
        "s3 = boto3.Session(profile_name=\"globus\").client(\"s3\")",
        "listing = s3.list_objects_v2(Bucket=\"\(bucket)\", Delimiter=\"/\")",
        "for entry in listing.get(\"Contents\", []):",
        "    print(entry[\"Key\"], entry[\"Size\"])",
        "s3.download_file(\"\(bucket)\", \"path/to/file\", \"file\")",
      ])
  }

  var s3fs: Snippet {
    Snippet(
      id: "s3fs", title: "Python: s3fs, and with it pandas, xarray, Zarr",
      lines: [
        "import s3fs", "",
        "fs = s3fs.S3FileSystem(profile=\"globus\")",
        "print(fs.ls(\"\(bucket)\"))",
        "with fs.open(\"\(bucket)/path/to/file\") as file:",
        "    print(file.read(100))",
      ])
  }

  var pyarrow: Snippet {
    Snippet(
      id: "pyarrow", title: "Python: pyarrow",
      lines: [
        "import os", "import pyarrow.parquet as pq", "from pyarrow.fs import S3FileSystem", "",
        "os.environ[\"AWS_PROFILE\"] = \"globus\"",
        "fs = S3FileSystem(endpoint_override=\"\(base)\", region=\"globus\")",
        "table = pq.read_table(\"\(bucket)/path/to/table.parquet\", filesystem=fs)",
        "print(table)",
      ])
  }

  var duckDB: Snippet {
    let scope = buckets.map { "'s3://\($0)'" }.joined(separator: ", ")
    return Snippet(
      id: "duckdb", title: "DuckDB",
      lines: [
        "CREATE OR REPLACE SECRET globus (",
        "  TYPE s3, PROVIDER credential_chain, CHAIN 'config', PROFILE 'globus',",
        "  ENDPOINT '\(base.authority)', URL_STYLE 'path', USE_SSL \(base.isSecure),",
        "  REGION 'globus', SCOPE [\(scope)]);",
        "SELECT * FROM 's3://\(bucket)/path/to/table.parquet' LIMIT 10;",
      ])
  }

  /// Single values, for programs that ask for them one by one.
  var values: [Snippet] {
    [
      Snippet(id: "endpoint", title: "Endpoint, addressed path-style", lines: [base.description]),
      Snippet(id: "region", title: "Region", lines: ["globus"]),
      Snippet(id: "key-id", title: "Access key ID", lines: [keyID]),
      Snippet(id: "secret", title: "Secret access key", lines: [secret]),
      Snippet(id: "buckets", title: buckets.count == 1 ? "Bucket" : "Buckets", lines: buckets),
    ]
  }
}
