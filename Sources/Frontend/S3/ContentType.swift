// ContentType: what an object is said to be, by its name alone; nobody upstream keeps a type.

enum ContentType {
  /// S3's own word for anything.
  static let unknown = "binary/octet-stream"
  static let folder = "application/x-directory"

  /// The type for a file name's extension, which is lower case and without the dot.
  static func of(_ fileExtension: String) -> String { types[fileExtension] ?? unknown }

  private static let types: [String: String] = [
    // Text and documents
    "txt": "text/plain", "text": "text/plain", "log": "text/plain", "md": "text/markdown",
    "rst": "text/plain", "csv": "text/csv", "tsv": "text/tab-separated-values",
    "html": "text/html", "htm": "text/html", "css": "text/css", "js": "text/javascript",
    "mjs": "text/javascript", "xml": "application/xml", "xsd": "application/xml",
    "json": "application/json", "jsonl": "application/x-ndjson",
    "ndjson": "application/x-ndjson", "geojson": "application/geo+json",
    "jsonld": "application/ld+json", "yaml": "application/yaml", "yml": "application/yaml",
    "toml": "application/toml", "pdf": "application/pdf", "ps": "application/postscript",
    "tex": "application/x-tex", "rtf": "application/rtf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "ipynb": "application/x-ipynb+json", "wasm": "application/wasm",
    "py": "text/x-python", "r": "text/plain", "jl": "text/plain", "sh": "text/x-shellscript",
    "c": "text/x-c", "h": "text/x-c", "f90": "text/x-fortran",
    // Images, sound, film
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif",
    "svg": "image/svg+xml", "webp": "image/webp", "avif": "image/avif", "bmp": "image/bmp",
    "ico": "image/vnd.microsoft.icon", "tif": "image/tiff", "tiff": "image/tiff",
    "jp2": "image/jp2", "mp3": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac",
    "ogg": "audio/ogg", "mp4": "video/mp4", "webm": "video/webm", "mov": "video/quicktime",
    "avi": "video/x-msvideo", "mpg": "video/mpeg", "mpeg": "video/mpeg",
    // Archives
    "zip": "application/zip", "tar": "application/x-tar", "gz": "application/gzip",
    "tgz": "application/gzip", "bz2": "application/x-bzip2", "xz": "application/x-xz",
    "zst": "application/zstd", "7z": "application/x-7z-compressed",
    // Science
    "h5": "application/x-hdf5", "hdf5": "application/x-hdf5", "he5": "application/x-hdf5",
    "h5ad": "application/x-hdf5", "hdf": "application/x-hdf", "h4": "application/x-hdf",
    "nc": "application/netcdf", "nc4": "application/netcdf", "cdf": "application/netcdf",
    "grib": "application/wmo-grib", "grib2": "application/wmo-grib", "grb": "application/wmo-grib",
    "grb2": "application/wmo-grib", "bufr": "application/wmo-bufr",
    "fits": "application/fits", "fit": "application/fits", "fts": "application/fits",
    "parquet": "application/vnd.apache.parquet", "arrow": "application/vnd.apache.arrow.file",
    "feather": "application/vnd.apache.arrow.file",
    "arrows": "application/vnd.apache.arrow.stream", "avro": "application/vnd.apache.avro",
    "sqlite": "application/vnd.sqlite3", "sqlite3": "application/vnd.sqlite3",
    "gpkg": "application/geopackage+sqlite3", "kml": "application/vnd.google-earth.kml+xml",
    "kmz": "application/vnd.google-earth.kmz", "gpx": "application/gpx+xml",
    "las": "application/vnd.las", "laz": "application/vnd.laszip",
    "mat": "application/x-matlab-data", "dcm": "application/dicom",
    "pdb": "chemical/x-pdb", "cif": "chemical/x-cif", "mol": "chemical/x-mdl-molfile",
    "sdf": "chemical/x-mdl-sdfile", "xyz": "chemical/x-xyz",
    "bam": "application/vnd.ga4gh.bam", "cram": "application/vnd.ga4gh.cram",
    "sam": "text/plain", "vcf": "text/plain", "bed": "text/plain", "gff": "text/plain",
    "gff3": "text/plain", "gtf": "text/plain", "fasta": "text/plain", "fa": "text/plain",
    "fna": "text/plain", "faa": "text/plain", "fastq": "text/plain", "fq": "text/plain",
  ]
}
