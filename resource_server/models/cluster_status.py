"""The last that was known of each cluster: what a controller begins with after a restart."""

from django.db import models


class ClusterStatus(models.Model):
    """One cluster's newest report, as its status function gave it: untrusted text, parsed whenever it is read."""

    cluster = models.CharField(max_length=100, unique=True)
    report = models.TextField()
    as_of = models.FloatField(help_text="POSIX seconds.")

    class Meta:
        ordering = ("cluster",)
        verbose_name_plural = "cluster statuses"

    def __str__(self) -> str:
        return str(self.cluster)
