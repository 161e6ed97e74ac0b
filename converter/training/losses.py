"""What an embedder can be trained with."""

from converter.training import distillation, labels, pairs, triplets
from converter.training.heads import Loss

LOSSES = {
    "triplet": Loss(triplets.triplet, triplets.draw_people, margin=triplets.MARGIN, minable=True),
    "siamese": Loss(pairs.siamese, pairs.draw_pairs, similarity=pairs.own_similarity, minable=True),
    "contrastive": Loss(pairs.contrastive, pairs.draw_pairs, margin=pairs.CONTRASTIVE_MARGIN, minable=True),
    "classes": Loss(labels.classes, labels.draw_pictures, scale=labels.SHARPNESS, centres=True),
    "arcface": Loss(
        labels.arcface, labels.draw_pictures, margin=labels.ANGULAR_MARGIN, scale=labels.MARGIN_SCALE, centres=True
    ),
    "cosface": Loss(
        labels.cosface, labels.draw_pictures, margin=labels.COSINE_MARGIN, scale=labels.MARGIN_SCALE, centres=True
    ),
}
TEACHER = "teacher"
TAUGHT = Loss(distillation.teacher, distillation.draw_taught)
EVERY = {**LOSSES, TEACHER: TAUGHT}
