#include "data/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <memory>

#include "core/check.h"
#include "data/files.h"

namespace hv::data {
namespace {

constexpr int64_t kSmallFile = 64 << 10;
constexpr int kMaxEntries = 1000;

}  // namespace

void extract_tar_gz(const std::string& archive, const std::vector<ArchiveFile>& files, const std::string& directory) {
  const std::unique_ptr<struct archive, int (*)(struct archive*)> reader(archive_read_new(), archive_read_free);
  HV_CHECK(reader, "archive: out of memory");
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_format_tar(reader.get());
  const auto good = [&](int code) {
    const char* reason = archive_error_string(reader.get());
    HV_CHECK_INPUT(code == ARCHIVE_OK || code == ARCHIVE_EOF, archive, ": damaged archive: ", reason ? reason : "unreadable",
                   ": fetch it again");
    return code == ARCHIVE_OK;
  };
  good(archive_read_open_filename(reader.get(), archive.c_str(), size_t{64} << 10));

  std::vector<bool> found(files.size());
  std::vector<uint8_t> buffer(size_t{64} << 10);
  struct archive_entry* entry = nullptr;
  for (int number = 0; good(archive_read_next_header(reader.get(), &entry)); ++number) {
    const char* raw = archive_entry_pathname(entry);
    const std::string path = raw ? raw : "";
    HV_CHECK_INPUT(number < kMaxEntries, archive, ": more than ", kMaxEntries, " entries: not the expected archive");
    const bool link = archive_entry_hardlink(entry) || archive_entry_symlink(entry);
    if (archive_entry_filetype(entry) == AE_IFDIR && !link) {  // the folders of the files may be listed, too; they are skipped
      const std::string prefix = path.ends_with('/') ? path : path + "/";
      const bool parent =
          std::any_of(files.begin(), files.end(), [&](const auto& file) { return file.path.starts_with(prefix); });
      HV_CHECK_INPUT(parent, archive, ": unexpected folder: ", path, ": refused");
      continue;
    }
    HV_CHECK_INPUT(archive_entry_filetype(entry) == AE_IFREG && !link, archive, ": not a regular file: ", path, ": refused");
    const auto file = std::find_if(files.begin(), files.end(), [&](const auto& f) { return f.path == path; });
    HV_CHECK_INPUT(file != files.end(), archive, ": unexpected file: ", path, ": refused");
    const auto index = static_cast<size_t>(file - files.begin());
    HV_CHECK_INPUT(!found[index], archive, ": file appears twice: ", path, ": refused");
    found[index] = true;
    const int64_t size = archive_entry_size(entry);
    HV_CHECK_INPUT(file->bytes >= 0 ? size == file->bytes : size <= kSmallFile, archive, ": wrong size of ", path,
                   ": expected ", file->bytes >= 0 ? "" : "at most ", file->bytes >= 0 ? file->bytes : kSmallFile,
                   " bytes, found ", size);

    FileWriter out(join(directory, path.substr(path.rfind('/') + 1)));
    int64_t done = 0;
    for (;;) {
      const la_ssize_t got = archive_read_data(reader.get(), buffer.data(), buffer.size());
      if (got < 0) good(ARCHIVE_FATAL);
      if (got <= 0) break;
      done += got;
      HV_CHECK_INPUT(done <= size, archive, ": ", path, " is longer than it says");
      out.write({buffer.data(), static_cast<size_t>(got)});
    }
    HV_CHECK_INPUT(done == size, archive, ": ", path, " ends at byte ", done, ": expected ", size, " bytes");
    out.finish();
  }
  for (size_t i = 0; i < files.size(); ++i) HV_CHECK_INPUT(found[i], archive, ": file missing: ", files[i].path);
}

}  // namespace hv::data
