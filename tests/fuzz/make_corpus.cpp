// Writes the small corpus that fuzzing starts from: make fuzz-corpus.
#include <archive.h>
#include <archive_entry.h>

#include <cstring>
#include <filesystem>

#include "core/check.h"
#include "data/image.h"
#include "models/hydravit.h"
#include "models/kinds.h"
#include "models/slim.h"
#include "tests/picture_fixtures.h"
#include "train/exchange/timm_safetensors.h"
#include "train/files/file.h"

namespace {

using namespace hv;

std::string folder_of(const std::string& root, const char* target) {
  const std::string folder = train::join_path(root, target);
  std::filesystem::create_directories(folder);
  return folder + "/";
}

void tar(const std::string& path, bool packed) {
  archive* out = archive_write_new();
  archive_write_set_format_ustar(out);
  packed ? archive_write_add_filter_gzip(out) : archive_write_add_filter_none(out);
  archive_write_set_bytes_in_last_block(out, 1);
  HV_CHECK(archive_write_open_filename(out, path.c_str()) == ARCHIVE_OK, path, ": ", archive_error_string(out));
  for (const auto& [name, text] : {std::pair<const char*, const char*>{"a/b", "abc"}, {"a/c", "names\n"}}) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, static_cast<int64_t>(std::strlen(text)));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    HV_CHECK(archive_write_header(out, entry) == ARCHIVE_OK, path, ": ", archive_error_string(out));
    archive_write_data(out, text, std::strlen(text));
    archive_entry_free(entry);
  }
  archive_write_free(out);
}

}  // namespace

int main(int argc, char** argv) {
  HV_CHECK_USAGE(argc == 2, "make_corpus: expected one folder");
  const std::string root = argv[1];
  models::HydraViTConfig c;
  c.image = c.patch = 2;
  c.depth = c.head_dim = c.heads_min = c.mlp_ratio = 1;
  c.heads = c.classes = 2;
  const models::HydraViT model(c, 1);
  train::Header header;
  header.model = model.config();
  header.options = {{"heads", "1-2"}};
  header.counters = {{"step", 7}};
  header.metrics = {{"top1", 0.5}};
  header.class_names = {"a", "b"};
  header.mean = header.std = {0.5, 0.5, 0.5};
  std::vector<train::NamedTensor> tensors;
  for (const nn::Parameter& p : model.parameters()) tensors.push_back({"model." + p.name, p.value.detach()});
  const std::string checkpoint = folder_of(root, "checkpoint") + "tiny.ckpt";
  train::save_checkpoint(checkpoint, header, tensors);
  train::save_checkpoint(folder_of(root, "checkpoint") + "empty.ckpt", {}, {});

  const std::string safetensors = folder_of(root, "safetensors");
  train::write_timm_safetensors(safetensors + "tiny.safetensors", train::load_timm(checkpoint, 0, false));
  for (const char* dtype : {"F16", "BF16", "F64"}) {
    const size_t bytes = std::string(dtype) == "F64" ? 8 : 2;
    train::write_safetensors(safetensors + dtype, {{"k", "v"}},
                             {{"w", dtype, {2, 1}, [&](const train::Put& put) { put("0123456789abcdef", 2 * bytes); }}});
  }

  const std::string image = folder_of(root, "image");
  data::Image picture{5, 6, {}};
  for (int i = 0; i < 90; ++i) picture.chw.push_back(static_cast<uint8_t>(37 * i));
  data::write_png(image + "a.png", picture);
  using fixtures::Bytes;
  const auto put = [&](const char* name, const Bytes& bytes) {
    train::write_file(image + name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  const Bytes exif = fixtures::exif_block(6, true);
  put("palette.png", fixtures::make_png(4, 1, 2, 3, fixtures::zlib_stream({0, 0b00011011}), "PLTE", {255, 0, 0, 0, 255, 0}));
  put("deep.png", fixtures::make_png(1, 1, 16, 6, fixtures::zlib_stream({0, 1, 2, 3, 4, 5, 6, 7, 8}), "eXIf", exif));
  fixtures::JpegOptions options;
  put("a.jpg", fixtures::make_jpeg(picture.chw, 6, 5, options));
  options.exif = exif;
  options.across = 4;
  options.down = 1;
  put("wide_samples.jpg", fixtures::make_jpeg(picture.chw, 6, 5, options));
  options.progressive = true;
  put("progressive.jpg", fixtures::make_jpeg(picture.chw, 6, 5, options));
  options = {JCS_YCCK, 1, 1, false, {}};
  put("cmyk.jpg", fixtures::make_jpeg({picture.chw.begin(), picture.chw.begin() + 72}, 6, 3, options));
  put("lossless.webp", fixtures::make_webp(picture.chw, 6, 5, -1));
  put("lossy.webp", fixtures::make_webp(picture.chw, 6, 5, 50));
  put("animated.webp", fixtures::animated_webp());
  put("a.gif", fixtures::interlaced_gif());
  put("a.bmp", fixtures::make_bmp(1, 2, 24, 0, {}, {3, 2, 1, 0, 6, 5, 4, 0}));
  put("palette.bmp", fixtures::make_bmp(2, 1, 4, 0, {9, 8, 7, 0}, {0x01, 0, 0, 0}));
  put("masks.bmp", fixtures::make_bmp(1, 1, 16, 3, {0, 0xf8, 0, 0, 0xe0, 7, 0, 0, 0x1f, 0, 0, 0}, {0xff, 7, 0, 0}));

  tar(folder_of(root, "archive") + "a.tar.gz", true);
  tar(folder_of(root, "archive") + "a.tar", false);
  train::write_file(folder_of(root, "cifar") + "ten", std::string("\0\1\2\x09", 4));
  train::write_file(folder_of(root, "cifar") + "hundred_cut", std::string("\x21\1\2\x63", 4));
  const std::string findings = folder_of(root, "findings");
  train::write_file(findings + "nih", std::string("Image Index,Finding Labels,Patient ID\na,Mass|Hernia,1\nb,No Finding,2\n"
                                                  "c,Edema,3\n\0a\nc\n\0b\n",
                                                  87));
  train::write_file(findings + "matrix", "p,patient,\"a\",b\r\n1,x,0,1\r\n\"2\"\"\",y,1,0");
  const std::string config = folder_of(root, "config");
  const auto put_config = [&](const std::string& name, const models::Config& entries) {
    std::string lines;
    for (const auto& [key, value] : entries) lines += key + "=" + value + "\n";
    train::write_file(config + name, lines);
  };
  put_config("model", models::to_config(c));
  models::Config views = models::to_config(c);
  for (const auto& [entry, value] :
       {std::pair{"image", "16"}, {"sizes", "8,16"}, {"keep", "0.5,1"}, {"prune", "0"}, {"positions", "resized"}}) {
    views[entry] = value;
  }
  put_config("model_views", views);
  models::SlimConfig cut;  // a kind without presets
  cut.image = 8;
  cut.depth = 2;
  cut.width = 8;
  cut.head_dim = 4;
  cut.set({0.5, 1}, {{{{2, 0}, {1, 4}}, {0, 5}}, {{{4, 0}, {3, 4}}, {9, 16}}});
  cut.set_lives({2, 2, 1, 0, 2});
  put_config("model_slim", models::to_config(cut));
  for (const models::Kind& kind : models::kinds()) {
    if (!kind.presets.empty()) put_config("model_" + kind.name, models::named_model(kind.presets[0].name, 10));
  }
  train::write_file(config + "options", "lr=1e-3\nepochs=3\naugment=full\nshuffle=off\nseed=12\n");
  train::write_file(config + "heads", "3-8");
  train::write_file(config + "amount", "1.5M");
  const std::string events = folder_of(root, "events"), tables = folder_of(root, "tables");
  train::write_file(events + "json", R"({"event": "step", "step": 7, "widths": [{"heads": 3, "loss": null}]})");
  train::write_file(
      events + "events",
      "{\"event\":\"start\",\"step\":0,\"widths\":[{\"label\":\"heads=1\",\"heads\":1,\"dim\":1,\"share\":0.5}]}\n"
      "{\"event\":\"log\",\"step\":2,\"loss\":2.5,\"lr\":1e-3,\"widths\":[{\"heads\":1,\"drawn\":2,\"loss\":null}],"
      "\"time\":{\"gemm\":1}}\n{\"event\":\"eval\",\"step\":2,\"images\":9,\"results\":[{\"heads\":1,\"top1\":50,"
      "\"images_per_second\":7}]}\n{\"event\":\"end\",\"step\":2,\"how\":\"finished\"}\n");
  train::write_file(tables + "summary", "step,images,top1_heads1,top1_heads2\r\n2,9,50,60.5\n");
  train::write_file(tables + "kept", "step,images,epoch,seconds,lr,train_loss\n3,9,1,2.5,0.1,2\n12,9,4,7,0.1,1.5\n");
  train::write_file(tables + "predictions", "index,label,predicted_heads2,loss_heads2,confidence_heads2\n0,1,0,2.5,0.9\n");
  const std::string cli = folder_of(root, "cli");
  train::write_file(cli + "train", "train\n--lr=1e-3\n--heads\n3-8\n--active-only");
  train::write_file(cli + "predict", "predict\nm.ckpt\na.png\n--heads\nall");
  train::write_file(cli + "help", "data\n--help");
}
