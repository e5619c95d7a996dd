#include "train/slim/search.h"

#include "models/slim_search.h"
#include "train/files/file.h"
#include "train/state/checkpoint.h"

namespace hv::train {

void prepare_search(TrainOptions& o, const std::string& checkpoint) {
  const std::string path = is_folder(checkpoint) ? join_path(checkpoint, "last.ckpt") : checkpoint;
  const models::Config from = read_header(path).model;
  const models::Kind& kind = models::kind_of(from);
  HV_CHECK_USAGE(kind.name != "slim", "slim search: ", checkpoint, " is cut already; search the model that it was cut from");
  const std::optional<models::PlainVit> vit = models::plain_vit(from);
  HV_CHECK_USAGE(vit && vit->in_timm() && !vit->distilled && vit->eps == 1e-6 && vit->scale_dim == vit->head_size(),
                 "slim search: ", checkpoint, ": a model of kind ", kind.name,
                 " is no plain vision transformer with one classifier token; hydravit export and import make one of a width");
  models::SlimSearchConfig c;
  models::put_plain(*vit, c);
  c.heads = vit->heads;
  c.head_dim = vit->head_size();
  o.preset = kOfInit;
  o.model = to_config(c);
  o.init = checkpoint;
}

}  // namespace hv::train
